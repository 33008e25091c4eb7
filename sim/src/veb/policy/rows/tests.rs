use super::*;

fn host(n: u8) -> MacAddress {
    MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, n])
}

fn change(table: Table, index: usize, data: [u32; WORDS]) -> Change {
    Change { table, operation: Operation::Write, index, data }
}

/// Ports 0 and 2, of the first word, and 33 and 65, of the others.
fn spread() -> PortSet {
    PortSet::from_iter([0, 2, 33, 65])
}

/// One row of each table, of values that fill their fields.
fn example() -> Policy {
    let mut policy = Policy::new(2, 64);
    policy.ports[65] = PortPolicy {
        pvid: 0xABC,
        priority: 5,
        inserted_tag: TagKind::Service,
        customer_tags: true,
        admit_untagged: true,
        ingress: true,
        check_source: true,
        mode: Mode::Isolated,
        broadcast: true,
        may_multicast: true,
        prune: true,
        default_ports: spread(),
        ..Default::default()
    };
    policy.set_vlan(0xFFE, VlanPolicy { members: spread(), untagged: PortSet::single(65) });
    policy.set_multicast(511, spread());
    policy.insert_entry(0x123, host(7), spread());
    policy.mirrors[1] = Some(Mirror { direction: Direction::Egress, of: MirrorOf::Vlan(0x123), target: 65 });
    policy.mirrors[0] = Some(Mirror { direction: Direction::Ingress, of: MirrorOf::Port(65), target: 1 });
    policy.ethertypes[7] = Some(0x88CC);
    policy.rates[3] = Rate { maximum: 40_000, class: 3, burst: 0x1FFFF, quantum: 0xFFFF };
    policy.limits[3] = Limit { cells: 100, hold_from: 50 };
    policy
}

#[test]
fn rows_are_the_words_of_the_table_by_hand() {
    let mac = Change {
        table: Table::Mac,
        operation: Operation::Insert,
        index: 0,
        data: [0x00AB_0007, 0x0123_5254, 5, 2, 2, 0],
    };
    assert_eq!(
        example().setup(),
        [
            change(Table::Vlan, 0xFFE, [5, 2, 2, 0, 0, 2]),
            change(Table::Multicast, 511, [5, 2, 2, 0, 0, 0]),
            change(Table::Ethertype, 7, [0x1_88CC, 0, 0, 0, 0, 0]),
            change(Table::Mirror, 0, [0b1 | 65 << 4 | 1 << 16, 0, 0, 0, 0, 0]),
            change(Table::Mirror, 1, [0b111 | 0x123 << 4 | 65 << 16, 0, 0, 0, 0, 0]),
            change(Table::Rate, 3, [0x3_9C40, 0x1FFFF, 0xFFFF, 0, 0, 0]),
            change(Table::Limit, 3, [100, 50, 0, 0, 0, 0]),
            mac,
            // 31, 29, 27, mode 2, 23, 21, 18, 16, 15, priority 5, PVID: 1010_1100_1010_0101_1101 1010_1011_1100.
            change(Table::Port, 65, [0xACA5_DABC, 5, 2, 2, 0, 0]),
        ]
    );
}

#[test]
fn each_bit_of_a_port_is_its_own() {
    type Set = fn(&mut PortPolicy);
    let word = |set: Set| {
        let mut port = PortPolicy::default();
        set(&mut port);
        port_row(&port).data[0]
    };
    let bits: [(u32, Set); 17] = [
        (15, |port| port.inserted_tag = TagKind::Service),
        (16, |port| port.customer_tags = true),
        (17, |port| port.service_tags = true),
        (18, |port| port.admit_untagged = true),
        (19, |port| port.admit_tagged = true),
        (20, |port| port.admit_nested = true),
        (21, |port| port.ingress = true),
        (22, |port| port.egress = true),
        (23, |port| port.check_source = true),
        (24, |port| port.check_ethertype = true),
        (25, |port| port.mode = Mode::Vepa),
        (26, |port| port.mode = Mode::Isolated),
        (27, |port| port.broadcast = true),
        (28, |port| port.may_unicast = true),
        (29, |port| port.may_multicast = true),
        (30, |port| port.may_vlan = true),
        (31, |port| port.prune = true),
    ];
    for (bit, set) in bits {
        assert_eq!(word(set), 1 << bit, "bit {bit}");
    }
    assert_eq!(word(|port| port.priority = 7), 0x7000);
    assert_eq!(word(|port| port.pvid = 0xFFF), 0xFFF);
}

#[test]
fn the_fourth_mode_is_the_first() {
    assert_eq!(Row { table: Table::Port, data: [3 << 25, 0, 0, 0, 0, 0] }.port().mode, Mode::Veb);
}

#[test]
fn only_rows_that_differ_are_changes() {
    let old = example();
    assert_eq!(old.changes_from(&old), []);
    let mut new = old.clone();
    new.ports[65].prune = false;
    new.insert_entry(0x123, host(7), PortSet::single(4));
    new.insert_entry(0, host(8), PortSet::single(4));
    new.set_vlan(0xFFE, VlanPolicy::default());
    let changes = new.changes_from(&old);
    let kinds: Vec<_> = changes.iter().map(|change| (change.table, change.operation)).collect();
    assert_eq!(
        kinds,
        [
            (Table::Vlan, Operation::Write),
            (Table::Mac, Operation::Insert),
            (Table::Mac, Operation::Insert),
            (Table::Port, Operation::Write)
        ]
    );
    // Back: what is new goes first.
    let back: Vec<_> = old.changes_from(&new).iter().map(|change| change.operation).collect();
    assert_eq!(back, [Operation::Write, Operation::Delete, Operation::Insert, Operation::Write]);
}

#[test]
fn changes_applied_are_the_new_policy() {
    let (old, new) = (Policy::open(2, 64), example());
    for (from, to) in [(&old, &new), (&new, &old)] {
        let mut policy = from.clone();
        to.changes_from(from).iter().for_each(|change| policy.apply(change));
        assert_eq!(policy, *to);
    }
}

#[test]
fn bits_beyond_the_fields_count_for_nothing() {
    let mut policy = Policy::new(1, 2);
    policy.apply(&change(Table::Vlan, 1, [u32::MAX; 6]));
    policy.apply(&change(Table::Port, 0, [0, u32::MAX, u32::MAX, u32::MAX, 0, 0]));
    let all = PortSet::first(3);
    assert_eq!(policy.vlan(1), VlanPolicy { members: all, untagged: all });
    assert_eq!(policy.ports[0].default_ports, all);
}

#[test]
#[should_panic(expected = "0x1000 does not fit in 12 bits")]
fn a_value_that_does_not_fit_is_refused() {
    let mut policy = Policy::new(1, 2);
    policy.ports[0].pvid = 4096;
    policy.setup();
}

#[test]
#[should_panic(expected = "Vlan is not changed by Insert")]
fn a_command_that_a_table_lacks_is_refused() {
    Policy::new(1, 2).apply(&Change { operation: Operation::Insert, ..change(Table::Vlan, 1, [0; 6]) });
}
