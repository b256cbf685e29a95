# Proxmox on a ZFS mirror of two disks, systemd-boot on both ESPs.
. "$here/common/zfs.sh"

lay_out() { zfs_lay_out; }

settings() {
	zfs_settings
	mkdir -p /target/etc/kernel
	echo "root=ZFS=rpool/ROOT/pve-1 boot=zfs $console" >/target/etc/kernel/cmdline
	register_esps "${disks[@]}"
}

boot_loader() {
	local disk
	for disk in "${disks[@]}"; do systemd_boot_esp "$disk"; done
	sed -i 's/boot=zfs/boot=zfs intel_iommu=on iommu=pt/' /target/etc/kernel/cmdline
	peculiar+=('/etc/kernel/cmdline was changed after the ESPs were written')
}
