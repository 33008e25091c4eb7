//! Memories.

use crate::*;
use hdl::value::Value;

#[test]
fn depth() {
    for depth in [0, 1, 3, 1000] {
        let message = error("mem(bits(8), depth", |io| {
            io.q.set(0);
            mem(bits(8), depth, Collision::Undefined);
        });
        let wanted = "the depth must be a power of two of at least 2";
        assert_eq!(message, format!("a memory of {depth} words: {wanted}"));
    }
}

/// A module with a memory of 16 bytes.
#[track_caller]
fn memory_error(at: &str, collision: Collision, body: impl FnOnce(&Io, &Mem<Bits>)) -> String {
    error(at, |io| {
        io.q.set(0);
        let memory = mem(bits(8), 16, collision);
        body(io, &memory);
    })
}

#[test]
fn addresses() {
    use Collision::*;
    let wanted = "an address of this memory must have 4 bits: `b` of 9 bits";
    has(
        &memory_error("m.write(io.b", ReadOld, |io, m| {
            m.write(io.a.trunc(4), io.a);
            m.write(io.b, io.a)
        }),
        &[wanted],
    );
    let read = |io: &Io, m: &Mem<Bits>| {
        m.write(io.a.trunc(4), io.a);
        m.read(io.b);
    };
    has(&memory_error("m.read(io.b)", Undefined, read), &[wanted]);
    let read_if = |io: &Io, m: &Mem<Bits>| {
        m.write(io.a.trunc(4), io.a);
        m.read_if(io.c, io.b);
    };
    has(&memory_error("m.read_if(io.c, io.b)", Undefined, read_if), &[wanted]);
    let peek = |io: &Io, m: &Mem<Bits>| {
        m.write(io.a.trunc(4), io.a);
        m.peek(io.b);
    };
    has(&memory_error("m.peek(io.b)", Undefined, peek), &[wanted]);
}

#[test]
fn words() {
    let message = memory_error("m.write(io.b.trunc(4), io.b)", Collision::Undefined, |io, m| {
        m.write(io.a.trunc(4), io.a);
        m.write(io.b.trunc(4), io.b);
    });
    has(&message, &["a word of this memory has 8 bits: ", "`b` of 9 bits", "has not"]);
    let message = memory_error("m.write(io.a.trunc(4), bits(8))", Collision::Undefined, |io, m| {
        m.write(io.a.trunc(4), bits(8));
    });
    has(&message, &["a bare type of 8 bits is used as a value"]);
    let message =
        memory_error("m.write_lanes(io.a.trunc(4), io.a, io.a.trunc(3))", Collision::Undefined, |io, m| {
            m.write(io.a.trunc(4), io.a);
            m.write_lanes(io.a.trunc(4), io.a, io.a.trunc(3));
        });
    assert_eq!(message, "8 bits are not 3 lanes of equal width");
}

#[test]
fn memory_of_another_module() {
    let message = memory_error("memory.write(inner.a", Collision::Undefined, |io, memory| {
        memory.write(io.a.trunc(4), io.a);
        let child = module("child", Io::ty(8), |inner| {
            inner.q.set(inner.a);
            memory.write(inner.a.trunc(4), inner.a);
        });
        child.a.set(0);
        child.b.set(0);
        child.c.set(true);
    });
    assert_eq!(message, "a memory is used outside of the module that made it");
}

#[test]
fn never_written() {
    #[hdl]
    fn body(io: &Io) {
        let words = mem(bits(8), 16, Collision::ReadNew);
        io.q.set(words.read(io.a.trunc(4)));
    }
    let message = error("let words = mem", body);
    assert_eq!(message, "memory `words` is never written and has no initial contents");
}

#[test]
fn read_new_has_one_write() {
    let message = memory_error("m.write(io.b.trunc(4), io.a)", Collision::ReadNew, |io, m| {
        m.write(io.a.trunc(4), io.a);
        m.write(io.b.trunc(4), io.a);
    });
    assert_eq!(message, "a memory that reads the new word has one write, of whole words");
    let message = memory_error("m.write_lanes(", Collision::ReadNew, |io, m| {
        m.write_lanes(io.a.trunc(4), io.a, io.a.trunc(2));
    });
    assert_eq!(message, "a memory that reads the new word has one write, of whole words");
}

#[test]
fn initial_contents() {
    for words in [vec![Value::new(8, 1); 3], vec![Value::new(7, 1); 4]] {
        let message = error(".build()", |io| {
            let rom = mem_with(bits(8), 4, Collision::Undefined).initial(words).build();
            io.q.set(rom.peek(io.a.trunc(2)));
        });
        has(&message, &["initial contents: 4 words of 8 bits are needed"]);
    }
    build(|io| {
        let rom = mem_with(bits(8), 4, Collision::Undefined).initial(vec![Value::new(8, 1); 4]).build();
        io.q.set(rom.peek(io.a.trunc(2)));
    })
    .unwrap();
}

#[derive(Bundle, Clone, Copy)]
struct Ram {
    #[input]
    write: Bool,
    #[input]
    lanes: U<2>,
    #[input]
    write_address: U<4>,
    #[input]
    read: Bool,
    #[input]
    read_address: U<4>,
    #[input]
    data: U<16>,
    #[output]
    word: U<16>,
}

fn ram(body: impl FnOnce(&Ram)) -> (Native, Ram) {
    let ram = elaborate(|| module("ram", Ram::ty(), body)).unwrap();
    let mut simulator = Native::new(&ram.design).unwrap();
    simulator.reset();
    (simulator, ram.io)
}

/// Every mix of collisions and pauses against a model.
fn read_new_against_a_model(describe: fn(&Ram)) {
    let (mut s, io) = ram(describe);
    let (mut model, mut word) = ([0u128; 16], 0);
    let mut random = 1u32;
    for cycle in 0..4000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (write, read) = (random >> 31 & 1 == 1, random >> 30 & 3 != 0);
        let (to, from, data) = (random >> 8 & 3, random >> 10 & 3, (random >> 12 & 0xffff) as u128);
        s.poke(io.write, write);
        s.poke(io.read, read);
        s.poke(io.write_address, to as u128);
        s.poke(io.read_address, from as u128);
        s.poke(io.data, data);
        s.poke(io.lanes, 3);
        s.step();
        if write {
            model[to as usize] = data;
        }
        if read {
            word = model[from as usize];
        }
        if cycle > 100 {
            assert_eq!(s.peek(io.word), word, "cycle {cycle}");
        }
    }
}

#[test]
fn read_new_returns_the_new_word() {
    #[hdl]
    fn conditional(io: &Ram) {
        let memory = mem(U::<16>::ty(), 16, Collision::ReadNew);
        when(io.write, || memory.write(io.write_address, io.data));
        io.word.set(memory.read_if(io.read, io.read_address));
    }
    read_new_against_a_model(conditional);
    // Read before written, and made inside of a condition.
    #[hdl]
    fn in_odd_order(io: &Ram) {
        let mut made = None;
        when(io.read, || {
            let memory = mem(U::<16>::ty(), 16, Collision::ReadNew);
            made = Some((memory.read(io.read_address), memory));
        })
        .otherwise(|| ());
        let (word, memory) = made.unwrap();
        io.word.set(word);
        switch(io.write).case(1, || memory.write(io.write_address, io.data)).case(0, || ());
    }
    read_new_against_a_model(in_odd_order);
}

#[test]
fn lanes_write_their_part() {
    let (mut s, io) = ram(|io| {
        let memory = mem(U::<16>::ty(), 16, Collision::Undefined);
        when(io.write, || memory.write_lanes(io.write_address, io.data, io.lanes));
        io.word.set(memory.read_if(io.read, io.read_address));
    });
    s.poke(io.write, true);
    s.poke(io.write_address, 5);
    for (lanes, data) in [(0b11, 0x1122), (0b01, 0x3344), (0b10, 0x5566), (0b00, 0x7788)] {
        s.poke(io.lanes, lanes);
        s.poke(io.data, data);
        s.step();
    }
    s.poke(io.write, false);
    s.poke(io.read, true);
    s.poke(io.read_address, 5);
    s.step();
    assert_eq!(s.peek(io.word), 0x5544);
}
