"""A disk of its own for a shop, whose power can be cut: ext4 in a file, mounted over a loop device."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.programs import Missing, find

MEGABYTES = 256


class Disk:
    """Needs root, or `sudo` without a password."""

    def __init__(self, image: Path, place: Path, *, megabytes: int = MEGABYTES, options: str = "") -> None:
        self.image, self.place, self.options = image, place, f"loop,{options}".rstrip(",")
        place.mkdir(parents=True, exist_ok=True)
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(megabytes * 1024 * 1024)
            subprocess.run([find("ext4", places="/*sbin/mkfs.ext4"), "-q", "-m", "0", image], check=True)
        self._mount()

    def _mount(self) -> None:
        try:
            _as_root("mount", "-o", self.options, self.image, self.place)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            raise Missing(f"A disk to cut the power of: mount -o loop needs root or sudo, and a loop device ({error}).") from error
        _as_root("chown", str(os.getuid()), self.place)

    def flush(self) -> None:
        """Write all that is pending, as the kernel itself does every half minute."""
        subprocess.run(["sync", "-f", self.place], check=True)

    def cut(self, image: Path, place: Path) -> "Disk":
        """What is on the disk if the power goes this moment, mounted in another place: what the kernel has not written is lost."""
        shutil.copyfile(self.image, image)
        return Disk(image, place)

    def break_file_system(self) -> None:
        """Let the kernel find an error on it; with `errors=remount-ro` nothing can be written from then on."""
        source = subprocess.run(["findmnt", "-no", "SOURCE", self.place], check=True, capture_output=True, text=True).stdout.strip()
        _as_root("sh", "-c", f"echo broken > /sys/fs/ext4/{Path(source).name}/trigger_fs_error")

    def repair(self) -> None:
        """Check and mount it again, when no process uses it any more."""
        _as_root("umount", self.place)
        subprocess.run([find("fsck.ext4", places="/*sbin/fsck.ext4"), "-p", self.image], check=False, capture_output=True)
        self._mount()

    def remove(self) -> None:
        _as_root("umount", "-l", self.place)
        self.image.unlink()


def _as_root(*command: str | Path) -> None:
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    subprocess.run([*sudo, *command], check=True, capture_output=True)
