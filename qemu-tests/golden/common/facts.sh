# What the tools of the installed system say about it, section by section on a disk of its own.

section() { printf '== %s\n' "$1"; }

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
	(cd /target && find boot etc/kernel etc/default/grub.d -type f -exec sha256sum {} +) || true
	section os-release
	cat /target/etc/os-release
	section end
}

report_facts() {
	udevadm settle
	facts >/run/facts
	dd if=/run/facts of="$FACTS_DISK" bs=64K conv=fsync status=none
}
