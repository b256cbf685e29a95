# Proxmox on btrfs RAID1 of two disks, GRUB on both, the root at the top level.
lay_out() {
	local disk
	for disk in "${disks[@]}"; do
		partition "$disk" 8300
		make_esp "$disk"
	done
	mkfs.btrfs -q -f -d raid1 -m raid1 "$(part "${disks[0]}" 3)" "$(part "${disks[1]}" 3)"
	udevadm settle
	# The kernel must know of both before it mounts one.
	modprobe btrfs
	btrfs -q device scan
	mount "$(part "${disks[0]}" 3)" /target
}

settings() {
	pve_settings btrfs
	mkdir -p /target/var/lib/pve
	btrfs -q subvolume create /target/var/lib/pve/local-btrfs
	grub_settings 'Proxmox Virtual Environment'
	mount_esp "${disks[0]}"
	cat >/target/etc/fstab <<-FSTAB
		# <file system> <mount point> <type> <options> <dump> <pass>
		UUID=$(uuid "$(part "${disks[0]}" 3)") / btrfs defaults 0 1
		UUID=$(uuid "$(part "${disks[0]}" 2)") /boot/efi vfat defaults 0 1
		proc /proc proc defaults 0 0
	FSTAB
}

boot_loader() {
	grub_bios "${disks[@]}"
	grub_uefi proxmox
	inside update-grub
}
