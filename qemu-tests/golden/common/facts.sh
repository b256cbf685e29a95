# What the tools of the installed system say about it, section by section on a disk of its own.

section() { printf '== %s\n' "$1"; }

# GRUB's modules are many and say nothing. What is left out beside them changes with each boot.
digests() { # FOLDER...
	find "$@" -xdev -type f ! -path '*grub/*/*' ! -name grubenv ! -name random-seed -exec sha256sum {} + || true
}

# What is on each ESP, under the PARTUUID of its partition.
esps() {
	local partition kind id mounted=/run/esp
	mkdir -p $mounted
	while read -r partition kind id; do
		if [ "$kind" != c12a7328-f81f-11d2-ba4b-00a0c93ec93b ]; then continue; fi
		section "esp $id"
		mount "$partition" $mounted
		(cd $mounted && digests *)
		umount $mounted
	done < <(lsblk --noheadings --raw --paths --output NAME,PARTTYPE,PARTUUID "${disks[@]}")
}

facts() {
	section lsblk
	lsblk --json --bytes --output NAME,SERIAL,SIZE,START,PTUUID,PARTTYPE,PARTUUID,FSTYPE,UUID,LABEL,TYPE "${disks[@]}"
	section volumes
	if command -v vgs >/dev/null; then vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,lv_name,lv_uuid,lv_attr,lv_size; fi
	section pool
	if [ -e /sys/module/zfs ]; then
		zpool get -H -o value guid rpool
		zfs list -H -o name,mountpoint -r rpool
	fi
	section root
	findmnt --noheadings --output SOURCE,FSTYPE --mountpoint /target
	section hostid
	if [ -e /target/etc/hostid ]; then inside hostid; fi
	section kernels
	ls /target/lib/modules
	section next-kernel
	echo "$release"
	section peculiar
	printf '%s\n' "${peculiar[@]}"
	section packages
	inside dpkg-query -W -f '${Package} ${Version}\n'
	section files
	(cd /target && digests boot etc/kernel etc/default/grub.d)
	esps
	section boot-entries
	if [ -d /sys/firmware/efi ]; then efibootmgr --verbose; fi
	section os-release
	cat /target/etc/os-release
	section end
}

report_facts() {
	udevadm settle
	facts >/run/facts
	dd if=/run/facts of="$FACTS_DISK" bs=64K conv=fsync status=none
}
