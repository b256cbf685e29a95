//! An init that ends at once: the least that a boot can be. For the lab's own tests it can fail in each
//! of the ways that the lab tells apart; the kernel hands `baseline=WAY` on its command line over in the
//! environment.

use std::io::{BufRead, Write};
use std::time::Duration;
use std::{env, io, process, thread};

use nix::sys::reboot::{RebootMode, reboot};

fn main() {
    if process::id() != 1 {
        eprintln!("baseline-init is the init of a test guest; it does nothing anywhere else");
        process::exit(2);
    }
    println!("preflight: milestone init");
    match env::var("baseline").as_deref() {
        Ok("hang") => thread::sleep(Duration::MAX),
        Ok("panic") => process::exit(3),
        Ok("memory") => eat(),
        Ok("echo") => echo(),
        _ => {}
    }
    println!("preflight: milestone end");
    // PID 1 has nowhere to report a failure to; returning makes the kernel panic, which is seen.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

fn eat() {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 1 << 20]);
    }
}

fn echo() {
    print!("say something: ");
    let _ = io::stdout().flush();
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    println!("you said {}", line.trim());
}
