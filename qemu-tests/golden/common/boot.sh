# Boot loaders, by their own installers, and the layouts that proxmox-boot-tool makes of them.

# The console of tests, in the file that Proxmox's installer uses for its own command line. What systemd starts
# is printed: a test takes a machine that says nothing for long for a dead one.
console='console=tty0 console=ttyS0,115200 no_timer_check systemd.show_status=1'

grub_settings() { # DISTRIBUTOR
	mkdir -p /target/etc/default/grub.d
	cp /target/usr/share/grub/default/grub /target/etc/default/grub
	printf 'GRUB_DISTRIBUTOR="%s"\nGRUB_DISABLE_OS_PROBER=true\n' "$1" >/target/etc/default/grub.d/distribution.cfg
	printf 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX %s"\nGRUB_TIMEOUT=1\n' "$console" >/target/etc/default/grub.d/installer.cfg
}

# As `proxmox-boot-tool kernel pin` does.
pin_kernel() { # RELEASE
	local device
	device=$(sed -n "s/.*'gnulinux-advanced-\([^']*\)'.*/\1/p" /target/boot/grub/grub.cfg | head -n 1)
	echo "$1" >/target/etc/kernel/proxmox-boot-pin
	printf 'GRUB_DEFAULT="gnulinux-advanced-%s>gnulinux-%s-advanced-%s"\n' "$device" "$1" "$device" \
		>/target/etc/default/grub.d/proxmox-kernel-pin.cfg
	inside update-grub
}

# The ESP at /boot/efi, as on LVM and ext4.
mount_esp() { # DISK
	mkdir -p /target/boot/efi
	mount "$(part "$1" 2)" /target/boot/efi
}

grub_bios() { # DISK...
	local disk
	for disk in "$@"; do inside grub-install --target=i386-pc "$disk"; done
}

grub_uefi() { # BOOTLOADER-ID [OPTION...]
	local id=$1 esp=/boot/efi variables=--no-nvram
	shift
	if [ -d /sys/firmware/efi ]; then variables=; fi
	inside grub-install --target=x86_64-efi --efi-directory="$esp" --bootloader-id="$id" $variables "$@"
	mkdir -p "/target$esp/EFI/BOOT"
	cp "/target$esp/EFI/$id/grubx64.efi" "/target$esp/EFI/BOOT/BOOTX64.EFI"
}

# As after `proxmox-boot-tool init` for each of these disks.
register_esps() { # DISK...
	local disk
	mkdir -p /target/etc/kernel
	for disk in "$@"; do uuid "$(part "$disk" 2)"; done >/target/etc/kernel/proxmox-boot-uuids
}

# Kernels and entries as proxmox-boot-tool lays them out for systemd-boot; options: the first line of
# /etc/kernel/cmdline.
systemd_boot_esp() { # DISK
	local esp=/mnt/esp kernel
	mkdir -p /target$esp
	mount "$(part "$1" 2)" /target$esp
	inside bootctl --esp-path=$esp install >/dev/null
	rm -rf /target$esp/loader/entries.srel
	mkdir -p /target$esp/loader/entries
	printf 'timeout 3\ndefault proxmox-*\n' >/target$esp/loader/loader.conf
	for kernel in /target/boot/vmlinuz-*; do
		kernel=${kernel##*/vmlinuz-}
		mkdir -p "/target$esp/EFI/proxmox/$kernel"
		cp "/target/boot/vmlinuz-$kernel" "/target/boot/initrd.img-$kernel" "/target$esp/EFI/proxmox/$kernel/"
		{
			printf 'title    Proxmox Virtual Environment\n'
			printf 'version  %s\n' "$kernel"
			printf 'options  %s\n' "$(head -n 1 /target/etc/kernel/cmdline)"
			printf 'linux    /EFI/proxmox/%s/vmlinuz-%s\n' "$kernel" "$kernel"
			printf 'initrd   /EFI/proxmox/%s/initrd.img-%s\n' "$kernel" "$kernel"
		} >"/target$esp/loader/entries/proxmox-$kernel.conf"
	done
	umount /target$esp
}

# GRUB with its kernels at the ESP's root, as proxmox-boot-tool does: update-grub runs with it at /boot.
grub_esp() { # DISK
	local esp=/mnt/esp
	mkdir -p /target$esp
	mount "$(part "$1" 2)" /target$esp
	cp /target/boot/vmlinuz-* /target/boot/initrd.img-* /target/boot/config-* /target/boot/System.map-* /target$esp/
	inside grub-install --target=i386-pc --boot-directory=$esp "$1"
	local variables=--no-nvram
	if [ -d /sys/firmware/efi ]; then variables=; fi
	inside grub-install --target=x86_64-efi --efi-directory=$esp --boot-directory=$esp --bootloader-id=proxmox $variables
	mkdir -p /target$esp/EFI/BOOT
	cp /target$esp/EFI/proxmox/grubx64.efi /target$esp/EFI/BOOT/BOOTX64.EFI
	umount /target$esp
	mount "$(part "$1" 2)" /target/boot
	inside update-grub
	umount /target/boot
}

lvm_settings() { # FILE-SYSTEM OPTIONS
	pve_settings lvm
	grub_settings 'Proxmox Virtual Environment'
	mount_esp "${disks[0]}"
	cat >/target/etc/fstab <<-FSTAB
		# <file system> <mount point> <type> <options> <dump> <pass>
		/dev/pve/root / $1 $2 0 1
		UUID=$(uuid "$(part "${disks[0]}" 2)") /boot/efi vfat defaults 0 1
		/dev/pve/swap none swap sw 0 0
		proc /proc proc defaults 0 0
	FSTAB
}

# Proxmox's installer puts GRUB for both firmwares on it, whichever it was booted by.
lvm_boot_loader() {
	grub_bios "${disks[0]}"
	grub_uefi proxmox
	inside update-grub
}
