# What Proxmox VE's own packages would have put on the system.

pve_settings() { # STORAGE
	put_files "$here/proxmox"
	mkdir -p /target/etc/pve /target/usr/share/kvm
	printf '127.0.0.1 localhost.localdomain localhost\n192.0.2.10 %s.example.com %s\n' "$name" "$name" >/target/etc/hosts
	rm -f /target/etc/apt/sources.list.d/0000*
	local package version
	while read -r package version; do
		printf '\nPackage: %s\nStatus: install ok installed\nPriority: optional\nSection: admin\nMaintainer: Nobody <nobody@example.com>\nArchitecture: all\nVersion: %s\nDescription: shaped entry of a test system; the package is not installed\n' "$package" "$version"
	done <"$here/common/proxmox-packages" >>/target/var/lib/dpkg/status
	configuration_database /target/var/lib/pve-cluster/config.db "$here/storage/$1.cfg"
}

# The folder pve/ as rows of pmxcfs: root row, then each folder before what is in it.
configuration_database() { # FILE STORAGE-FILE
	local file=$1 tree=/run/pve inode=0 path parent type data
	cp -r "$here/pve" $tree
	cp "$2" $tree/storage.cfg
	mv "$tree/nodes/NODE" "$tree/nodes/$name"
	grep -rl NODE $tree | xargs sed -i "s/NODE/$name/g"
	mkdir -p "${file%/*}"
	{
		printf "PRAGMA journal_mode=WAL;\nBEGIN;\n"
		printf "CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER NOT NULL CHECK(typeof(parent)='integer'), version INTEGER NOT NULL CHECK(typeof(version)='integer'), writer INTEGER NOT NULL CHECK(typeof(writer)='integer'), mtime INTEGER NOT NULL CHECK(typeof(mtime)='integer'), type INTEGER NOT NULL CHECK(typeof(type)='integer'), name TEXT NOT NULL, data BLOB);\n"
		declare -A inodes=([.]=0)
		while read -r path; do
			inode=$((inode + 1))
			inodes[$path]=$inode
			parent=${inodes[$(dirname "$path")]}
			if [ -d "$tree/$path" ]; then type=4 data=NULL; else type=8 data="readfile('$tree/$path')"; fi
			printf "INSERT INTO tree VALUES(%d,%d,%d,0,%d,%d,'%s',%s);\n" $inode "$parent" $inode $((1700000000 + inode)) $type "${path##*/}" "$data"
		done < <(cd $tree && find . -mindepth 1 | LC_ALL=C sort)
		printf "INSERT INTO tree VALUES(0,0,%d,1,%d,8,'__version__',NULL);\nCOMMIT;\n" $inode $((1700000000 + inode))
	} | sqlite3 -bail "$file" >/dev/null
	chmod 600 "$file"
}

# Guest 101 starts at boot since a change that pmxcfs had committed to the WAL alone when it died.
leave_change_in_wal() { # FILE
	local file=$1 left=/run/pve-left
	mkdir $left
	sqlite3 -bail "$file" >/dev/null <<-SQL
		PRAGMA wal_autocheckpoint=0;
		BEGIN;
		UPDATE tree SET data=CAST(data || 'onboot: 1' || char(10) AS BLOB), version=version+100, mtime=mtime+100 WHERE name='101.conf';
		UPDATE tree SET version=(SELECT version FROM tree WHERE name='101.conf') WHERE inode=0;
		COMMIT;
		.shell cp -a $file $file-wal $file-shm $left/
	SQL
	cp -a $left/. "${file%/*}/"
}
