# Proxmox on one disk: LVM, xfs, GRUB for BIOS and UEFI.
. "$here/installs/lvm-ext4-bios.sh"

lay_out() {
	partition "${disks[0]}" 8E00
	make_esp "${disks[0]}"
	make_volume_group "$(part "${disks[0]}" 3)"
	mkfs.xfs -q -f /dev/pve/root
	mount /dev/pve/root /target
}

settings() {
	lvm_settings xfs defaults
}
