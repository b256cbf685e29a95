use hardware::{Function, HostDevice, HostRole, Machine, Reading};

/// What the host runs on: what was read, and the network functions that no driver has taken where no
/// network interface exists at all. A kernel without their drivers (the stick's has none) shows no
/// interface, and that must not read as "the host does not use them".
pub(crate) fn host_devices(machine: &Machine) -> Reading<Vec<HostDevice>> {
    machine.host_devices.clone().map(|mut devices| {
        if devices
            .iter()
            .all(|device| device.role != HostRole::Network)
        {
            devices.extend(
                machine
                    .functions
                    .iter()
                    .filter(|f| is_idle_network(f))
                    .map(interface_of),
            );
        }
        devices
    })
}

/// A network function without a driver. One that is bound to vfio-pci was given away on purpose.
fn is_idle_network(function: &Function) -> bool {
    function.class.is_network() && function.driver == Reading::Absent
}

fn interface_of(function: &Function) -> HostDevice {
    HostDevice {
        role: HostRole::Network,
        name: format!("network card {}", function.address),
        function: function.address,
        detail: "this kernel has no driver for it, so its use is not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    const NIC: &str = "02:00.0";

    fn names(machine: &Machine) -> Vec<String> {
        let devices = host_devices(machine);
        devices
            .known()
            .unwrap()
            .iter()
            .map(|device| device.name.clone())
            .collect()
    }

    #[test]
    fn a_network_card_without_a_driver_may_be_the_hosts_when_no_interface_exists() {
        let machine = Builder::good().add(NIC, 0x02_00_00);
        assert_eq!(names(&machine.machine), ["network card 0000:02:00.0"]);
        let other = machine.host_device(HostRole::Network, "enp3s0", "03:00.0", "up");
        assert_eq!(names(&other.machine), ["enp3s0"]);
    }

    #[test]
    fn the_only_network_card_in_a_cards_group_blocks_it_without_any_driver() {
        let sharing = Builder::good().add(NIC, 0x02_00_00).in_group(&[GPU, NIC]);
        assert_eq!(sharing.gpu_verdict(), Verdict::Blocked);
    }
}
