//! Stand-in until the statistics are there.

use super::rows::{RowRequest, RowResponse};
use super::types::{Counted, Finished};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct StatisticsIo {
    #[input]
    #[ty(Valid::ty(Counted::ty(config)))]
    pub counted: Valid<Counted>,
    #[input]
    #[ty(Valid::ty(Finished::ty(config)))]
    pub finished: Valid<Finished>,
    #[input]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
    #[input]
    pub row: Stream<RowRequest>,
    #[output]
    pub row_response: Valid<RowResponse>,
    #[output]
    pub clear: Bool,
}

#[hdl]
pub fn statistics(config: &Config) -> StatisticsIo {
    module("veb_statistics", StatisticsIo::ty(config), |io| {
        io.row.ready.set(true);
        io.row_response.valid.set(delay(io.row.valid));
        let response = reg_without_reset(RowResponse::ty());
        response.set(response.zero());
        io.row_response.payload.set(response);
        io.clear.set(true);
    })
}
