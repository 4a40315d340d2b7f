# Sourced by what starts services. They start a thread for every model they load, and the C library gives little of what threads have freed back to
# the system: with two heaps, and with large blocks outside them, memory stays where it is (docs/decisions/0019-heap-of-services.md).
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}" MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-131072}"
