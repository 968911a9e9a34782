// out[i] = the smallest and largest invocation of i's subgroup, and how many there are
//
// Asked once for a device: sums by subgroups count on subgroups being runs of neighbours. Grid: (1).

struct Parameters {
  unused: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<u32>>;   // [64]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  let smallest = subgroupMin(local);
  let largest = subgroupMax(local);
  out[local] = vec4<u32>(smallest, largest, subgroupAdd(1u), parameters.unused);
}
