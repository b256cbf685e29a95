/*
 * The smallest EFI driver of a card: when firmware starts it from the option ROM, it names the PCI function
 * that it came from on QEMU's debug console, and stays. It drives nothing.
 */

#include <efi.h>
#include <efipciio.h>

/* I/O port of QEMU's isa-debugcon; OVMF's own messages would go to 0x402. */
#define DEBUG_CONSOLE 0xe9

static void put(char byte)
{
	__asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"((UINT16)DEBUG_CONSOLE));
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_hex(UINTN value, unsigned digits)
{
	while (digits--)
		put("0123456789abcdef"[(value >> (4 * digits)) & 0xf]);
}

/* PCI I/O protocol of the function whose ROM this image was loaded from; NULL when it was loaded from
 * elsewhere, or by something that does not say. */
static EFI_PCI_IO_PROTOCOL *own_function(EFI_HANDLE image, EFI_BOOT_SERVICES *services)
{
	EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_GUID pci_io_guid = EFI_PCI_IO_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded;
	EFI_PCI_IO_PROTOCOL *function;

	if (EFI_ERROR(services->HandleProtocol(image, &loaded_image_guid, (void **)&loaded)) ||
	    EFI_ERROR(services->HandleProtocol(loaded->DeviceHandle, &pci_io_guid, (void **)&function)))
		return NULL;
	return function;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_PCI_IO_PROTOCOL *function = own_function(image, system->BootServices);
	UINTN segment, bus, device, number;

	put_text("option ROM driver of ");
	if (!function ||
	    EFI_ERROR(function->GetLocation(function, &segment, &bus, &device, &number))) {
		put_text("no function\n");
		return EFI_UNSUPPORTED;
	}
	put_hex(segment, 4);
	put(':');
	put_hex(bus, 2);
	put(':');
	put_hex(device, 2);
	put('.');
	put_hex(number, 1);
	put('\n');
	return EFI_SUCCESS;
}
