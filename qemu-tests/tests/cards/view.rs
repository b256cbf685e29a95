use cards::profiles;
use qemu_tests::probe::Request;

use crate::lab::{Lab, machine, serve};

#[test]
fn explore() {
    let Some(lab) = Lab::open() else { return };
    let nvidia = serve(&profiles::nvidia_gtx650());
    let amd = serve(&profiles::amd_rx480());
    let rom = nvidia.profile().functions[0]
        .option_rom()
        .unwrap()
        .bytes()
        .len();
    let a = "0000:01:00.0";
    let mut requests = vec![
        Request::write(a, "enable", "1"),
        Request::run(&["/usr/bin/lspci", "-vvv", "-n"]),
        Request::rom(a),
        Request::rom("0000:02:00.0"),
        Request::memory(a, 0, 0x30_0000, 64),
        Request::run(&["/usr/bin/lspci", "-t"]),
    ];
    for a in [a, "0000:01:00.1", "0000:02:00.0", "0000:02:00.1"] {
        requests.push(Request::link(a, "iommu_group"));
        requests.push(Request::read(a, "reset_method"));
        requests.push(Request::read(a, "config"));
    }
    let t = std::time::Instant::now();
    let seen = lab.ask("cards-explore", machine(&[&nvidia, &amd]), requests.clone());
    println!("{:?} rom {rom}", t.elapsed());
    println!("{}", seen.answers.text(&requests[1]));
    for r in &requests {
        let text = format!("{:?}", seen.answers.to(r));
        println!("{r:?}: {}", &text[..text.len().min(300)]);
    }
    for (f, a) in [(&nvidia, 1), (&amd, 2)] {
        for (n, c) in f.profile().config_spaces().unwrap().iter().enumerate() {
            let seen = seen
                .answers
                .bytes(&Request::read(&format!("0000:{a:02x}:00.{n}"), "config"));
            for (at, (x, y)) in seen.iter().zip(c.bytes()).enumerate() {
                if *x != y {
                    print!("{a}.{n} {at:#x}: seen {x:02x} profile {y:02x}; ");
                }
            }
            println!("len {}", seen.len());
        }
    }
}
