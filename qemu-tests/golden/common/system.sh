# The system's files, and work inside it.

copy_system() {
	cp -a /base/. /target/
	rm -rf /target/lost+found
}

mount_inside() {
	local folder
	for folder in proc sys dev run; do mount --rbind "/$folder" "/target/$folder"; done
	mount -t tmpfs tmpfs /target/tmp
}

inside() { chroot /target "$@"; }

# Puts these files over the system's own; they belong to root whoever checked them out.
put_files() { # FOLDER
	cp -r --no-preserve=ownership "$1/." /target/
}

common_settings() {
	echo "$name" >/target/etc/hostname
	systemd-machine-id-setup --root=/target >/dev/null
	mkdir -p /target/var/log/journal
	# Only what has a pool gets an id, and one of its own.
	rm -f /target/etc/hostid
	if [ -d /target/etc/initramfs-tools ]; then
		printf 'MODULES=dep\nCOMPRESSLEVEL=1\n' >/target/etc/initramfs-tools/conf.d/driver-policy
	fi
}

make_initrds() {
	inside update-initramfs -c -k all
}

leave() {
	sync
	umount -R /target
	case "$(type -t let_go)" in function) let_go ;; esac
	udevadm control --exit
	sync
}
