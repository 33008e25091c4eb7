//! A little of `nic_soak`.

use rtl::config::Config;
use testbench::{
    models,
    nic::{Plan, run},
};

/// Runs with frames in all directions among resets and faults; `make soak` plays as many as one likes.
#[test]
fn random_frames_arrive_once_and_in_order() {
    let config = Config::small();
    let (mut delivered, mut disturbed) = (0, 0);
    for seed in [3, 13] {
        let plan = Plan { seed, frames: 1500, round: 500 };
        let report = run(models::nic(&config).unwrap(), &config, &plan);
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.frames >= 1500, "seed {seed}: {report}");
        delivered += report.delivered;
        disturbed += report.happened.get("rounds with disturbances").copied().unwrap_or(0);
    }
    assert!(delivered > 1000 && disturbed > 1, "{delivered}, {disturbed}");
}
