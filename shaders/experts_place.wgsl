// Before the products of mixtures: where an expert's weights begin.
fn of_expert(start: Place, expert: u32, stride: u32) -> Place {
  return start + expert * Place(stride / 4u, stride);
}
