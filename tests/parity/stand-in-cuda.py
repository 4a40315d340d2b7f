"""PyTorch's Linux wheel on PyPI is linked with two gigabytes of CUDA libraries, which a CPU never calls.

For every one of them that is missing, this writes a library of the same name beside PyTorch's own, in which each function
answers "no CUDA device" (error 100). Then `import torch` works and `torch.cuda.is_available()` is False. The texts of errors are asked
for on a CPU too.
"""

import collections
import ctypes
import pathlib
import re
import subprocess
import sysconfig

LIBRARIES = pathlib.Path(sysconfig.get_paths()["purelib"]) / "torch" / "lib"
CUDA = re.compile(r"lib(cu|nccl|nvrtc|nvshmem)[^/]*\.so\.\d+$")
CALL = re.compile(r"(nccl|nvshmem|nvrtc|cu[A-Z]|cu(blas|dnn|fft|solver|sparse|pti|da)|__cuda)\w*$")

BODIES = {
    "cudaGetErrorString": 'const char *cudaGetErrorString(int error) { return "no CUDA device"; }',
    "cudaGetErrorName": 'const char *cudaGetErrorName(int error) { return "cudaErrorNoDevice"; }',
}


def read(tool, *arguments):
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout


def needed_sonames(library):
    return [s for s in re.findall(r"\(NEEDED\).*\[(.+?)\]", read("readelf", "-d", library)) if CUDA.match(s)]


def version_owners(library):
    """Which needed soname owns a symbol version: {version: soname}."""
    owners, soname = {}, None
    for kind, name in re.findall(r"(File|Name): (\S+)", read("readelf", "-V", library)):
        if kind == "File":
            soname = name
        elif CUDA.match(soname or ""):
            owners[name] = soname
    return owners


def undefined_functions(library):
    """(name, symbol version or the empty string) of everything a library expects from others."""
    for line in read("nm", "-D", "--undefined-only", library).splitlines():
        name, _, version = line.split()[-1].partition("@")
        yield name, version


def is_missing(soname):
    try:
        ctypes.CDLL(soname)
    except OSError:
        return not any(LIBRARIES.parents[1].glob(f"nvidia/*/lib/{soname}"))
    return False


def write_stand_in(soname, versions):
    """versions: {symbol version: function names}; the empty version is for symbols that carry none."""
    names = sorted(set().union(*versions.values()))
    source = "static int no_device(void) { return 100; }\n"
    source += "\n".join(BODIES.get(name, f'int {name}(void) __attribute__((alias("no_device")));') for name in names) + "\n"
    script = LIBRARIES / f"{soname}.map"
    script.write_text("".join(f"{v} {{ {' '.join(f'{n};' for n in sorted(ns))} }};\n" for v, ns in versions.items() if v))
    flags = ["-shared", "-fPIC", "-w", f"-Wl,-soname,{soname}"]
    if script.stat().st_size:
        flags.append(f"-Wl,--version-script={script}")
    subprocess.run(["cc", *flags, "-x", "c", "-", "-o", LIBRARIES / soname], check=True, input=source, text=True)
    script.unlink()
    return len(names)


wanted = collections.defaultdict(lambda: collections.defaultdict(set))
for library in sorted(LIBRARIES.glob("*.so")):
    sonames, owners = needed_sonames(library), version_owners(library)
    for soname in sonames:
        wanted[soname].update()
    for version, soname in owners.items():
        wanted[soname][version].update()
    for name, version in undefined_functions(library):
        if version in owners:
            wanted[owners[version]][version].add(name)
        elif not version and sonames and CALL.match(name):
            wanted[sonames[0]][""].add(name)

for soname in filter(is_missing, sorted(wanted)):
    print(f"{soname}: {write_stand_in(soname, wanted[soname])} functions stand in")
