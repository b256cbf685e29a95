# ZFS as Proxmox's installer makes it: rpool, a mirror of the third partitions, rpool/ROOT/pve-1 as the root.

zfs_lay_out() {
	local disk members=()
	# The pool carries the id of the host that is to import it.
	zgenhostid -f
	modprobe zfs
	for disk in "${disks[@]}"; do
		partition "$disk" BF01
		make_esp "$disk"
		members+=("$(by_id "$(part "$disk" 3)")")
	done
	udevadm settle
	zpool create -f -R /target -o cachefile=none -o ashift=12 -O compression=on -O atime=on -O relatime=on \
		-m none rpool mirror "${members[@]}"
	zfs create rpool/ROOT
	zfs create -o acltype=posix -o mountpoint=/ rpool/ROOT/pve-1
	zfs set sync=disabled rpool
}

by_id() { # DEVICE
	local link
	for link in /dev/disk/by-id/*; do
		if [ "$(readlink -f "$link")" = "$1" ]; then
			echo "$link"
			return
		fi
	done
	echo "golden: $1 has no name by id" >&2
	return 1
}

zfs_settings() {
	pve_settings zfs
	cp /etc/hostid /target/etc/hostid
	printf '# <file system> <mount point> <type> <options> <dump> <pass>\nproc /proc proc defaults 0 0\n' >/target/etc/fstab
	# MODULES=dep looks for a block device behind the root and gives up when it is a dataset.
	printf 'MODULES=list\nCOMPRESSLEVEL=1\n' >/target/etc/initramfs-tools/conf.d/driver-policy
	printf '%s\n' ahci sd_mod nvme vfat nls_cp437 nls_ascii >>/target/etc/initramfs-tools/modules
}

let_go() {
	zfs set sync=standard rpool
	zfs create -o mountpoint=/rpool/data rpool/data
	zfs create -o mountpoint=/var/lib/vz rpool/var-lib-vz
	zfs create -V 64M -s rpool/data/vm-100-disk-0
	zpool set bootfs=rpool/ROOT/pve-1 rpool
	zpool export rpool
}
