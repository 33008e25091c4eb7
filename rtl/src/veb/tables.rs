//! The way from the manager's commands to the blocks that keep the tables.

use super::{
    dispatch::{Limit, LimitWrite},
    row_memory::row_memory,
    rows::{Operation, Outcome, RowRequest, RowResponse, Table},
    shaper::{Rate, RateRow},
};
use crate::{config::Config, register_map as map};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct TablesIo {
    #[input]
    pub request: Stream<RowRequest>,
    #[output]
    pub response: Valid<RowResponse>,
    /// What concerns the rules for frames.
    #[output]
    pub classifier: Stream<RowRequest>,
    #[input]
    pub classifier_response: Valid<RowResponse>,
    /// Counters to read.
    #[output]
    pub statistics: Stream<RowRequest>,
    #[input]
    pub statistics_response: Valid<RowResponse>,
    #[output]
    #[ty(Valid::ty(RateRow::ty(config)))]
    pub rate: Valid<RateRow>,
    #[output]
    #[ty(Valid::ty(LimitWrite::ty(config)))]
    pub limit: Valid<LimitWrite>,
    /// The rows that are kept here have cleared themselves after reset.
    #[output]
    pub clear: Bool,
}

const LIMIT_CELLS: map::Position = map::field(Table::Limit, "cells");
const LIMIT_HOLD: map::Position = map::field(Table::Limit, "hold");

/// Where a command is.
#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// Its owner is asked.
    Ask,
    /// Its owner works on it.
    Await,
    /// A row that is kept here is written or named.
    Point,
    /// It is read.
    Read,
    Respond,
}

/// Hands each command to the block that keeps its table, one at a time. The rows of RATE and LIMIT are kept here too, to
/// be read: their owners only need to be told.
///
/// ```text
///  request ─┬─► classifier ─┐
///           ├─► statistics ─┼─► response
///           └─► rows ───────┘
///                └─► rate, limit
/// ```
#[hdl]
pub fn tables(config: &Config) -> TablesIo {
    module(format!("veb_tables_{}", config.ports()), TablesIo::ty(config), |io| {
        let state = reg_enum(State::Idle);
        let request = reg_without_reset(RowRequest::ty());
        let response = reg_without_reset(RowResponse::ty());
        let is_for = |table: Table| request.table.is(table);
        let is_kept = is_for(Table::Rate) | is_for(Table::Limit);
        let is_counter = is_for(Table::Statistics);
        io.request.ready.set(state.is(State::Idle));
        let ask = state.is(State::Ask);
        io.classifier.valid.set(ask & !is_counter & !is_kept);
        io.classifier.payload.set(request);
        io.statistics.valid.set(ask & is_counter);
        io.statistics.payload.set(request);

        // The rows that are kept here: those of LIMIT behind those of RATE.
        let port = request.index.trunc(config.port_bits());
        let data = request.data;
        let count_bits = config.cell_count_bits();
        let rate = map::table(Table::Rate).unpack(&Rate::ty(), data);
        // More cells than there are is as many as there are.
        let cells = |field: map::Position| {
            let value = field.of(data);
            let all = lit((1 << count_bits) - 1, value.width());
            value.gt(all).mux(all, value).trunc(count_bits)
        };
        let limit = Limit { cells: cells(LIMIT_CELLS), hold: cells(LIMIT_HOLD) };
        let row = is_for(Table::Rate).mux(rate.pack(), limit.pack().zext(rate.size()));
        let kept = row_memory(2 * config.ports().next_power_of_two(), row.width());
        let index = cat([is_for(Table::Limit).bits(), port]);
        let write = state.is(State::Point) & request.operation.is(Operation::Write);
        kept.index.set(index);
        kept.write.valid.set(write);
        kept.write.payload.index.set(index);
        kept.write.payload.row.set(row);
        io.clear.set(kept.clear);
        io.rate.valid.set(write & is_for(Table::Rate));
        io.rate.payload.set(RateRow { port, rate });
        io.limit.valid.set(write & is_for(Table::Limit));
        io.limit.payload.set(LimitWrite { port, limit });
        let rate_row = map::table(Table::Rate).pack(&rate.unpack(kept.row));
        let limit_row = map::table(Table::Limit).pack(&limit.unpack(kept.row.trunc(limit.size())));

        let answered = io.classifier_response.valid | io.statistics_response.valid;
        state.cases(|s| match s {
            State::Idle => {
                request.set(io.request.payload);
                when(io.request.valid, || state.set(State::Ask));
            }
            State::Ask => {
                let taken = is_counter.mux(io.statistics.ready, io.classifier.ready);
                when(is_kept, || state.set(State::Point)).elsewhen(taken, || state.set(State::Await));
            }
            State::Await => {
                response.set(is_counter.mux(io.statistics_response.payload, io.classifier_response.payload));
                when(answered, || state.set(State::Respond));
            }
            State::Point => state.set(State::Read),
            State::Read => {
                response.outcome.set(Outcome::Done);
                response.data.set(is_for(Table::Rate).mux(rate_row, limit_row).as_u());
                state.set(State::Respond);
            }
            State::Respond => state.set(State::Idle),
        });
        io.response.valid.set(state.is(State::Respond));
        io.response.payload.set(response);
        io.classifier.assert_stable();
        io.statistics.assert_stable();
    })
}
