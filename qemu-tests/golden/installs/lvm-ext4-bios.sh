# Proxmox on one disk: LVM, ext4, GRUB for BIOS and UEFI.
lay_out() {
	partition "${disks[0]}" 8E00
	make_esp "${disks[0]}"
	make_volume_group "$(part "${disks[0]}" 3)"
	mkfs.ext4 -q /dev/pve/root
	mount /dev/pve/root /target
}

settings() {
	lvm_settings ext4 'errors=remount-ro'
}

boot_loader() {
	lvm_boot_loader
}

let_go() { vgchange -an pve; }
