use super::*;
use Direction::{Down, Up};

const HOST: RoutingId = RoutingId(0x0008);
const FUNCTION: RoutingId = RoutingId(0x0100);
const OTHER: RoutingId = RoutingId(0x0102);

fn checker() -> Checker {
    let mut checker = Checker::new(Settings { timeout: 1000, ..Settings::default() });
    checker.set_master(FUNCTION, true);
    checker
}

/// What is wrong with the last of these packets; nothing may be with those before.
fn judge(checker: &mut Checker, packets: &[(Direction, Packet)]) -> Vec<String> {
    let (last, before) = packets.split_last().unwrap();
    for (direction, packet) in before {
        checker.check(*direction, packet, 10);
        assert_eq!(checker.breaches(), [], "{packet}");
    }
    checker.check(last.0, &last.1, 20);
    checker.take_breaches().into_iter().map(|breach| breach.what).collect()
}

#[track_caller]
fn breaks(packets: &[(Direction, Packet)], what: &str) {
    let wrong = judge(&mut checker(), packets);
    assert!(wrong.len() == 1 && wrong[0].contains(what), "{wrong:?}, not {what}");
}

#[track_caller]
fn keeps(packets: &[(Direction, Packet)]) {
    assert_eq!(judge(&mut checker(), packets), Vec::<String>::new());
}

fn read(address: u64, bytes: usize) -> Packet {
    Packet::memory_read(FUNCTION, 1, address, bytes)
}

fn write(address: u64, bytes: usize) -> Packet {
    Packet::memory_write(FUNCTION, 0, address, &vec![1; bytes])
}

fn edit(mut packet: Packet, word: usize, set: u32) -> Packet {
    packet.header[word] |= set;
    packet
}

#[test]
fn rules_of_every_packet() {
    keeps(&[(Up, write(0x1003, 250))]);
    breaks(&[(Up, Packet { header: [0x1F << 24, 0, 0, 0], payload: vec![] })], "format and type");
    breaks(
        &[(Up, Packet { payload: vec![0; 8], ..write(0x1000, 4) })],
        "8 bytes of payload; the header says 4",
    );
    breaks(
        &[(Up, Packet { payload: vec![0; 4], ..read(0x1000, 4) })],
        "4 bytes of payload; the header says 0",
    );
    breaks(&[(Up, edit(read(0x1000, 4), 0, 1 << 15))], "digest");
    breaks(&[(Up, edit(read(0x1000, 4), 0, 1 << 17))], "reserved bits");
    breaks(&[(Up, edit(read(0x1000, 4), 0, 1 << 10))], "address type");
    breaks(&[(Up, edit(read(0x1000, 4), 3, 4))], "fourth word");
    breaks(&[(Up, write(0x1000, 4).with_tag(0x200))], "tag of ten bits");
    breaks(&[(Up, read(0x1000, 4).poisoned())], "poisoned, without data");
    keeps(&[(Up, write(0x1000, 4).poisoned())]);
}

#[test]
fn rules_of_memory_requests() {
    breaks(&[(Up, edit(read(0x1000, 4), 2, 1))], "lowest two bits");
    let long = Packet { header: [0x2000_0001, 0x0100_010F, 0, 0x1000], payload: vec![] };
    breaks(&[(Up, long)], "four words of header");
    keeps(&[(Up, write(0x1F80, 128))]);
    breaks(&[(Up, write(0x1F84, 128))], "4 KiB");
    breaks(&[(Up, write(0x1000, 260))], "Max_Payload_Size");
    keeps(&[(Up, read(0x1000, 512))]);
    breaks(&[(Up, read(0x1000, 513))], "Max_Read_Request_Size");
    keeps(&[(Down, Packet::memory_read(HOST, 1, 0x1000, 513))]);
    breaks(&[(Up, read(0x1000, 4).with_enables(15, 1))], "where there is one only");
    breaks(&[(Up, read(0x1000, 8).with_enables(0, 15))], "first of several");
    breaks(&[(Up, read(0x1000, 8).with_enables(15, 0))], "last of several");
    keeps(&[(Up, read(0x1000, 8).with_enables(5, 9))]);
    keeps(&[(Up, read(0x1000, 4).with_enables(9, 0))]);
    breaks(&[(Up, read(0x1004, 8).with_enables(5, 15))], "gaps");
    breaks(&[(Up, read(0x1000, 12).with_enables(15, 14))], "gaps");
    breaks(&[(Up, read(0x1000, 4).with_traffic_class(1))], "traffic class");
    breaks(&[(Up, read(0x1000, 4).with_attributes(1))], "No Snoop");
    breaks(&[(Up, read(0x1000, 4).with_attributes(4))], "ordering by ID");
    keeps(&[(Up, write(0x1000, 4).with_attributes(2))]);
    let mut strict =
        Checker { settings: Settings { relaxed_ordering: false, ..Settings::default() }, ..checker() };
    assert!(judge(&mut strict, &[(Up, write(0x1000, 4).with_attributes(2))])[0].contains("Relaxed Ordering"));
    keeps(&[(Up, write(0xFEE0_0000, 4))]);
    breaks(&[(Up, write(0xFEE0_0000, 4).with_attributes(2))], "overtake");
    breaks(&[(Up, write(0xFEE0_0000, 8))], "one word");
    breaks(&[(Up, edit(read(0x1000, 4), 0, 1 << 24))], "no such request");
}

#[test]
fn rules_of_other_requests() {
    let configuration = Packet::configuration_read(false, HOST, 1, FUNCTION, 4);
    keeps(&[(Down, configuration.clone())]);
    breaks(&[(Up, configuration.clone())], "sends a configuration request");
    breaks(&[(Down, edit(configuration.clone(), 2, 0x1000))], "register number");
    breaks(&[(Down, edit(configuration.clone(), 0, 2))], "more than a word");
    breaks(&[(Down, configuration.clone().with_enables(15, 1))], "where there is one only");
    breaks(&[(Down, configuration.clone().with_traffic_class(1))], "traffic class");
    breaks(&[(Down, configuration.with_attributes(2))], "attributes");
    let ports = edit(Packet::memory_read(HOST, 1, 0x10, 4), 0, 2 << 24);
    keeps(&[(Down, ports.clone())]);
    breaks(&[(Up, ports)], "I/O request");
    let atomic = edit(write(0x1000, 4), 0, 0xC << 24);
    keeps(&[(Down, atomic.clone())]);
    breaks(&[(Up, atomic)], "atomic");
    let message = Packet::message(FUNCTION, 0, 0x33);
    keeps(&[(Up, message.clone())]);
    breaks(&[(Up, Packet::message(FUNCTION, 3, 0x33))], "no message of an endpoint");
    breaks(&[(Up, Packet::message(FUNCTION, 0, 0x32))], "no message of an endpoint");
    breaks(&[(Up, edit(message.clone(), 0, 1))], "has a length");
    breaks(&[(Up, edit(message.clone(), 2, 1))], "reserved words");
    breaks(&[(Up, message.clone().with_traffic_class(1))], "traffic class");
    breaks(&[(Up, message.with_attributes(2))], "has attributes");
}

#[test]
fn who_may_send() {
    let theirs = Packet::memory_read(OTHER, 1, 0x1000, 4);
    breaks(&[(Up, theirs.clone())], "01:00.2 is no bus master");
    let mut checker = checker();
    checker.set_master(OTHER, true);
    assert!(judge(&mut checker, &[(Up, theirs.clone())]).is_empty());
    checker.set_silent(OTHER, true);
    let message = Packet::message(OTHER, 0, 0x30);
    for packet in [theirs.clone().with_tag(2), message] {
        assert_eq!(judge(&mut checker, &[(Up, packet)]), ["01:00.2 must not send anything (6.6.2)"]);
    }
    let request = Packet::configuration_read(true, HOST, 1, OTHER, 4);
    let completion = Packet::completion(&request, OTHER, Status::Unsupported);
    let wrong = judge(&mut checker, &[(Down, request), (Up, completion)]);
    assert_eq!(wrong, ["01:00.2 must not send anything (6.6.2)"]);
    checker.set_silent(OTHER, false);
    checker.set_master(OTHER, false);
    assert_eq!(judge(&mut checker, &[(Up, theirs.with_tag(3))]), ["01:00.2 is no bus master (7.5.1.1.3)"]);
}

#[test]
fn tags() {
    breaks(&[(Up, read(0x1000, 4)), (Up, read(0x2000, 4))], "in use since cycle 10");
    keeps(&[(Up, read(0x1000, 4)), (Up, read(0x2000, 4).with_tag(2))]);
    let mut narrow = Checker { settings: Settings { tag_bits: 5, ..Settings::default() }, ..checker() };
    assert!(judge(&mut narrow, &[(Up, read(0, 4).with_tag(32))])[0].contains("more than 5 bits"));
    let mut wide = Checker { settings: Settings { tag_bits: 10, ..Settings::default() }, ..checker() };
    let request = read(0, 4).with_tag(0x3FF);
    let completion = Packet::completion_with_data(&request, HOST, 0, &[0; 4]);
    assert!(judge(&mut wide, &[(Up, request), (Down, completion)]).is_empty());
    // After its time a tag may be used again.
    let mut checker = checker();
    checker.check(Up, &read(0x1000, 4), 0);
    assert_eq!(checker.waiting(Up), [(read(0x1000, 4), 0)]);
    checker.check(Up, &read(0x1000, 4), 1000);
    assert_eq!(checker.breaches(), []);
}

/// Parts of a read of 300 bytes from 0x103A on: to 0x1040, to 0x1100, and the rest to 0x1166.
fn parts() -> (Packet, [Packet; 3]) {
    let request = read(0x103A, 300);
    let part =
        |start: usize, words: usize| Packet::completion_with_data(&request, HOST, start, &vec![0; 4 * words]);
    let parts = [part(0, 2), part(8, 48), part(200, 26)];
    (request, parts)
}

#[test]
fn completions_in_parts() {
    let (request, [one, two, three]) = parts();
    let [asked, one, two, three] = [(Up, request), (Down, one), (Down, two), (Down, three)];
    keeps(&[asked.clone(), one.clone(), two.clone(), three.clone()]);
    breaks(&[asked.clone(), one.clone(), two.clone(), three.clone(), three.clone()], "no request that waits");
    let wrong = judge(&mut checker(), &[asked.clone(), one.clone(), three]);
    assert_eq!(
        wrong,
        [
            "byte count 0x66, not 0x126 (2.2.9)",
            "lower address 0x0, not 0x40 (2.2.9)",
            "split at 0xa8, where no boundary of 64 bytes is (2.3.1.1)"
        ]
    );
    let short = Packet::completion_with_data(&asked.1, HOST, 8, &[0; 60]);
    breaks(&[asked.clone(), one.clone(), (Down, short)], "split at 0x7c, where no boundary of 64");
    let long = Packet::completion_with_data(&asked.1, HOST, 200, &[0; 108]);
    breaks(&[asked.clone(), one.clone(), two.clone(), (Down, long)], "27 words, where 26 are left");
    breaks(&[asked.clone(), one.clone(), (Down, edit(two.1.clone(), 1, 1 << 16))], "another completer");
    let other = Packet::memory_read(OTHER, 1, 0x103A, 300);
    breaks(
        &[asked.clone(), (Down, Packet::completion(&other, HOST, Status::Aborted))],
        "no request that waits",
    );
    breaks(
        &[asked.clone(), (Down, Packet::completion(&asked.1.clone().with_tag(2), HOST, Status::Aborted))],
        "waits",
    );
    // An error ends it, with what is left.
    let mut end = Packet { header: two.1.header, payload: vec![] };
    end.header[0] = 0x0A00_0000;
    end.header[1] |= 1 << 13;
    keeps(&[asked.clone(), one.clone(), (Down, end.clone())]);
    breaks(&[asked, one, (Down, end), two], "no request that waits");
}

#[test]
fn fields_of_completions() {
    let request = read(0x1000, 8).with_attributes(2);
    let good = Packet::completion_with_data(&request, HOST, 0, &[0; 8]);
    let answer = |packet: Packet, what: &str| breaks(&[(Up, request.clone()), (Down, packet)], what);
    keeps(&[(Up, request.clone()), (Down, good.clone())]);
    answer(good.clone().with_attributes(0), "attributes 0x0, not 0x2");
    answer(good.clone().with_traffic_class(3), "traffic class 0x3, not 0x0");
    answer(edit(good.clone(), 1, 1), "byte count 0x9, not 0x8");
    answer(edit(good.clone(), 2, 4), "lower address 0x4, not 0x0");
    answer(edit(good.clone(), 2, 0x80), "reserved bit");
    answer(edit(good.clone(), 1, 1 << 12), "BCM");
    answer(edit(good.clone(), 0, 1 << 24), "locked");
    answer(edit(good.clone(), 1, 1 << 13), "not successful");
    answer(Packet::completion(&request, HOST, Status::Successful), "no data");
    answer(Packet::completion(&request, HOST, Status::Retry), "retry");
    answer(edit(Packet::completion(&request, HOST, Status::Aborted), 0, 1), "has a length");
    answer(edit(Packet::completion(&request, HOST, Status::Aborted), 1, 3 << 13), "status that is reserved");
    let large = read(0x1000, 512);
    let all = Packet::completion_with_data(&large, HOST, 0, &[0; 512]);
    breaks(&[(Up, large), (Down, all)], "Max_Payload_Size");
}

#[test]
fn completions_of_the_endpoint() {
    let write = Packet::configuration_write(false, HOST, 1, FUNCTION, 4, 6);
    let read = |tag: u16, offset: u16| Packet::configuration_read(false, HOST, tag, FUNCTION, offset);
    let data =
        |request: &Packet, completer: RoutingId| Packet::completion_with_data(request, completer, 0, &[0; 4]);
    let done = Packet::completion(&write, FUNCTION, Status::Successful);
    // The bus number is known from the first write on.
    let early = (Down, read(2, 0));
    keeps(&[early.clone(), (Up, data(&early.1, RoutingId(0x0000)))]);
    breaks(&[early.clone(), (Up, data(&early.1, FUNCTION))], "completer 0x100, not 0x0");
    let begin = [(Down, write.clone()), (Up, done.clone())];
    keeps(&[&begin[..], &[early.clone(), (Up, data(&early.1, FUNCTION))]].concat());
    breaks(
        &[&begin[..], &[early.clone(), (Up, data(&early.1, OTHER))]].concat(),
        "completer 0x102, not 0x100",
    );
    breaks(&[(Down, write.clone()), (Up, data(&write, FUNCTION))], "data of a write");
    let far = (Down, Packet::configuration_read(true, HOST, 3, RoutingId(0x0205), 8));
    keeps(&[far.clone(), (Up, data(&far.1, RoutingId(0x0205)))]);
    breaks(&[far.clone(), (Up, data(&far.1, RoutingId(0x0105)))], "completer");
    keeps(&[far.clone(), (Up, Packet::completion(&far.1, RoutingId(0), Status::Unsupported))]);
    // Registers: whole, or split at 128 bytes.
    let mut checker = checker();
    checker.set_window(0x10_0000..0x11_0000, OTHER);
    let request = Packet::memory_read(HOST, 4, 0x10_0040, 200);
    let part = |start: usize, words: usize, completer| {
        Packet::completion_with_data(&request, completer, start, &vec![0; 4 * words])
    };
    let asked = (Down, request.clone());
    let wrong = judge(&mut checker, &[asked.clone(), (Up, part(0, 8, OTHER))]);
    assert!(wrong.len() == 1 && wrong[0].contains("split at 0x60, where no boundary of 128"), "{wrong:?}");
    let wrong =
        judge(&mut self::checker(), &[asked.clone(), (Up, part(0, 48, OTHER)), (Up, part(192, 2, OTHER))]);
    assert!(wrong.is_empty());
    let mut checker = self::checker();
    checker.set_window(0x10_0000..0x11_0000, FUNCTION);
    let wrong = judge(&mut checker, &[asked, (Up, part(0, 50, OTHER))]);
    assert_eq!(wrong, ["completer 0x102, not 0x100 (2.2.9)"]);
}

#[test]
fn breaches_in_words() {
    let mut checker = checker();
    checker.check(Up, &write(0x1F84, 128), 33);
    assert_eq!(checker.packets(Up), 1);
    assert_eq!(
        checker.breaches()[0].to_string(),
        "cycle 33, Up: MWr from 01:00.0 tag 0x0 at 0x1f84, 32 words, enables 1111 1111, 128 bytes: crosses a boundary of 4 KiB (2.2.7)"
    );
}
