# Like lvm-ext4-bios, on an NVMe drive and booted by UEFI, with a second kernel that GRUB would prefer and the
# first one pinned; pmxcfs died with a change in its WAL.
. "$here/installs/lvm-ext4-bios.sh"

settings() {
	lvm_settings ext4 'errors=remount-ro'
	leave_change_in_wal /target/var/lib/pve-cluster/config.db
	peculiar+=('that guest 101 starts at boot stands in the WAL of config.db alone')
}

make_initrds() {
	cp "$here/second-kernel.deb" /target/tmp/
	inside dpkg --install /tmp/second-kernel.deb
	inside update-initramfs -c -k "$release"
}

boot_loader() {
	lvm_boot_loader
	pin_kernel "$release"
	peculiar+=("kernel $release is pinned, GRUB would prefer the cloud kernel")
}
