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

boot_loader() {
	lvm_boot_loader
	echo 'options vfio-pci ids=1002:67df,1002:aaf0' >/target/etc/modprobe.d/vfio.conf
	peculiar+=('/etc/modprobe.d/vfio.conf was changed after the initrd was made')
}
