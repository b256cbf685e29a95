use serde::{Deserialize, Serialize};

/// A program of the installed system that makes boot files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// initramfs-tools: renews the initrd of this kernel release in /boot.
    UpdateInitramfs(String),
    /// The same with dracut.
    Dracut(String),
    /// GRUB: writes /boot/grub/grub.cfg anew.
    UpdateGrub,
}

impl Tool {
    /// The program and its arguments.
    pub fn words(&self) -> Vec<String> {
        let words = match self {
            Self::UpdateInitramfs(release) => vec!["update-initramfs", "-u", "-k", release],
            Self::Dracut(release) => {
                let initrd = format!("/boot/initrd.img-{release}");
                return ["dracut", "--force", &initrd, release]
                    .map(str::to_owned)
                    .into();
            }
            Self::UpdateGrub => vec!["update-grub"],
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// The file that it makes.
    pub fn makes(&self) -> String {
        match self {
            Self::UpdateInitramfs(release) | Self::Dracut(release) => {
                format!("/boot/initrd.img-{release}")
            }
            Self::UpdateGrub => "/boot/grub/grub.cfg".to_owned(),
        }
    }
}
