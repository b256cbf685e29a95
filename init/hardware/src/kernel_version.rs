/// Major and minor version of a kernel release, such as `6.8.12-4-pve`; none where it does not begin with them.
pub fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut fields = release.split(|character: char| !character.is_ascii_digit());
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_release_begins_with_its_version() {
        assert_eq!(kernel_version("6.8.12-4-pve"), Some((6, 8)));
        assert_eq!(kernel_version("5.15-rc1"), Some((5, 15)));
        assert_eq!(kernel_version("next"), None);
    }
}
