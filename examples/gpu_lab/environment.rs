//! What the device is.

use crate::{Lab, clock, say};
use serde_json::json;

pub fn tell(lab: &Lab) {
    let context = &lab.kernels.context;
    let (limits, features) = (&context.limits, &context.features);
    say(json!({
        "adapter": context.description,
        "features": lab.kernels.features(),
        "subgroups": features.subgroups,
        "inexactHalves": lab.kernels.extras().inexact_halves,
        "limits": {
            "maxBufferSize": limits.max_buffer_size,
            "maxStorageBufferBindingSize": limits.max_storage_buffer_binding_size,
            "maxComputeWorkgroupStorageSize": limits.max_compute_workgroup_storage_size,
            "maxComputeInvocationsPerWorkgroup": limits.max_compute_invocations_per_workgroup,
            "maxComputeWorkgroupsPerDimension": limits.max_compute_workgroups_per_dimension,
            "minUniformBufferOffsetAlignment": limits.min_uniform_buffer_offset_alignment,
        },
    }));
    say(json!({ "emptySubmitMs": 1e3 * clock::empty(lab) }));
}
