//! State of another process: from `/proc` on Linux, and from `ps` elsewhere.

#[cfg(all(target_os = "linux", not(zerver_portable)))]
mod system {
    use std::fs;

    pub(crate) fn is_stopped(pid: u32) -> bool {
        // The state follows the name, which is in parentheses.
        fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")
    }

    pub(crate) fn caught_signals(pid: u32) -> String {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().to_owned()
    }

    pub(crate) fn program_name(pid: u32) -> String {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        exe.file_name().unwrap().to_str().unwrap().to_owned()
    }
}

#[cfg(not(all(target_os = "linux", not(zerver_portable))))]
mod system {
    use std::path::Path;
    use std::process::Command;

    fn ps(column: &str, pid: u32) -> String {
        let output = Command::new("ps").args(["-o", column, "-p", &pid.to_string()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn is_stopped(pid: u32) -> bool {
        ps("state=", pid).starts_with('T')
    }

    pub(crate) fn caught_signals(pid: u32) -> String {
        ps("caught=", pid)
    }

    pub(crate) fn program_name(pid: u32) -> String {
        let arguments = ps("args=", pid);
        let program = Path::new(arguments.split(' ').next().unwrap());
        program.file_name().unwrap().to_str().unwrap().to_owned()
    }
}

pub(crate) use system::{is_stopped, program_name};

/// Returns true if the process handles SIGINT.
pub(crate) fn catches_interrupt(pid: u32) -> bool {
    u64::from_str_radix(system::caught_signals(pid).trim(), 16).unwrap() & 2 != 0
}
