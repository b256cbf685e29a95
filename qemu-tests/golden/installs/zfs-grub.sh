# Proxmox on a ZFS mirror of two disks, GRUB on both ESPs; from before its move to GRUB each ESP still has
# systemd-boot's entries, which nothing starts any more.
. "$here/common/zfs.sh"

lay_out() { zfs_lay_out; }

settings() {
	zfs_settings
	grub_settings 'Proxmox Virtual Environment'
	printf 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX root=ZFS=rpool/ROOT/pve-1 boot=zfs"\n' >/target/etc/default/grub.d/zfs.cfg
	mkdir -p /target/etc/kernel
	echo 'root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on' >/target/etc/kernel/cmdline
	register_esps "${disks[@]}"
}

boot_loader() {
	local disk
	for disk in "${disks[@]}"; do
		systemd_boot_esp "$disk"
		grub_esp "$disk"
	done
	peculiar+=('each ESP has stale entries of systemd-boot, which ask for intel_iommu=on')
}
