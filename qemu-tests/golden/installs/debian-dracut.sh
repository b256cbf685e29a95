# Debian 13 on one disk without LVM: GRUB for UEFI, dracut, libvirt's files.
lay_out() {
	sgdisk --clear --new=1:1M:+256M --typecode=1:EF00 --new=2:0:+256M --typecode=2:8200 \
		--new=3:0:0 --typecode=3:8300 "${disks[0]}" >/dev/null
	udevadm settle
	mkfs.vfat -F 32 "$(part "${disks[0]}" 1)" >/dev/null
	mkswap "$(part "${disks[0]}" 2)" >/dev/null
	mkfs.ext4 -q "$(part "${disks[0]}" 3)"
	mount "$(part "${disks[0]}" 3)" /target
}

settings() {
	put_files "$here/libvirt"
	mkdir -p /target/etc/libvirt/qemu/autostart
	ln -s ../win11.xml /target/etc/libvirt/qemu/autostart/win11.xml
	printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >/target/etc/hosts
	grub_settings Debian
	mkdir -p /target/boot/efi
	mount "$(part "${disks[0]}" 1)" /target/boot/efi
	cat >/target/etc/fstab <<-FSTAB
		UUID=$(uuid "$(part "${disks[0]}" 3)") / ext4 errors=remount-ro 0 1
		UUID=$(uuid "$(part "${disks[0]}" 1)") /boot/efi vfat umask=0077 0 1
		UUID=$(uuid "$(part "${disks[0]}" 2)") none swap sw 0 0
	FSTAB
}

make_initrds() {
	inside dracut --quiet --force --kver "$release" "/boot/initrd.img-$release"
}

boot_loader() {
	grub_uefi debian
	inside update-grub
}
