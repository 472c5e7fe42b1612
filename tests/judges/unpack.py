"""Takes one file out of the wheel in a directory, if it is the one that is expected."""

import hashlib
import pathlib
import sys
import zipfile


def main() -> None:
    directory, name, digest, to = sys.argv[1:]
    (wheel,) = pathlib.Path(directory).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (m for m in archive.namelist() if m.rpartition("/")[2] == name)
        contents = archive.read(member)
    found = hashlib.sha256(contents).hexdigest()
    if found != digest:
        sys.exit(f"error: {name} in {wheel.name} has SHA-256 {found}, not {digest}")
    pathlib.Path(to).write_bytes(contents)


main()
