"""A disk of its own for a shop, whose power can be cut: ext4 in a file, mounted over a loop device."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.programs import Missing, find

MEGABYTES = 256


class Disk:
    """Needs root, or `sudo` without a password."""

    def __init__(self, image: Path, place: Path, *, megabytes: int = MEGABYTES) -> None:
        self.image, self.place = image, place
        place.mkdir(parents=True, exist_ok=True)
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(megabytes * 1024 * 1024)
            subprocess.run([find("ext4", places="/*sbin/mkfs.ext4"), "-q", "-m", "0", image], check=True)
        try:
            _as_root("mount", "-o", "loop", image, place)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            raise Missing(f"A disk to cut the power of: mount -o loop needs root or sudo, and a loop device ({error}).") from error
        _as_root("chown", str(os.getuid()), place)

    def flush(self) -> None:
        """Write all that is pending, as the kernel itself does every half minute."""
        subprocess.run(["sync", "-f", self.place], check=True)

    def cut(self, image: Path, place: Path) -> "Disk":
        """What is on the disk if the power goes this moment, mounted in another place: what the kernel has not written is lost."""
        shutil.copyfile(self.image, image)
        return Disk(image, place)

    def remove(self) -> None:
        _as_root("umount", "-l", self.place)
        self.image.unlink()


def _as_root(*command: str | Path) -> None:
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    subprocess.run([*sudo, *command], check=True, capture_output=True)
