// A Verilated model behind C functions, one object per instance of a design.
//
// `model_ports.h`, generated for each design, has `port_address`, `clear_inputs`, `set_clock`, `forget_edge` and
// `EDGES_ARE_FORGOTTEN`.

#include "Vmodel.h"
#include "Vmodel___024root.h"
#include "model_ports.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// Nanoseconds of waveform per cycle; the clocks rise in the middle.
constexpr uint64_t PERIOD = 10;

// Leaves an evaluation that cannot go on, such as a loop that does not settle.
struct Fatal {};

struct Model {
    VerilatedContext context;
    // Printed by the design since the last call.
    std::string text;
    bool violated = false;
    // The last evaluation was left half-way: nothing that this instance computes counts any more.
    bool broken = false;
    // The clocks have fallen and no evaluation has seen it yet.
    bool fall_unseen = false;
    uint64_t cycle = 0;
    std::unique_ptr<Vmodel> top;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> waveform;
#endif
};

// The instance that the current thread is calling: Verilator's hooks do not say.
thread_local Model* current = nullptr;

void note(const char* file, int line, const char* what) {
    if (!current) return;
    if (file && file[0]) current->text += std::string(file) + ":" + std::to_string(line) + ": ";
    current->text += what;
    current->text += '\n';
}

// Runs `action` on an instance. Returns whether the design had no objection; if not, `text` says which.
template <typename Action>
bool call(Model& model, Action action) {
    if (VL_UNLIKELY(model.broken)) return false;
    if (VL_UNLIKELY(!model.text.empty())) model.text.clear();
    current = &model;
    Verilated::threadContextp(&model.context);
    try {
        action();
    } catch (const Fatal&) {
        model.violated = true;
        model.broken = true;
    } catch (const std::exception& error) {
        note(nullptr, 0, error.what());
        model.violated = true;
        model.broken = true;
    }
    current = nullptr;
    if (VL_UNLIKELY(model.violated)) {
        model.violated = false;
        return false;
    }
    if (VL_UNLIKELY(!model.text.empty())) {
        fputs(model.text.c_str(), stderr);
        model.text.clear();
    }
    return true;
}

void evaluate(Model& model) {
    model.top->eval();
    model.fall_unseen = false;
}

bool traced(const Model& model) {
#if VM_TRACE
    return model.waveform && model.waveform->isOpen();
#else
    return false;
#endif
}

// Writes the signals as they are `offset` ns into the current cycle.
void sample(Model& model, uint64_t offset) {
#if VM_TRACE
    model.waveform->dump(model.cycle * PERIOD + offset);
#endif
}

// Shows how the last cycle ended, and closes the file.
void end_waveform(Model& model) {
#if VM_TRACE
    if (!traced(model)) return;
    if (!model.broken) {
        evaluate(model);
        sample(model, 0);
    }
    model.waveform->close();
#endif
}

}  // namespace

int hematite_print(const char* format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        // One more for the zero at the end.
        std::string text(length + 1, '\0');
        vsnprintf(&text[0], text.size(), format, again);
        text.pop_back();
        if (current) {
            current->text += text;
        } else {
            fputs(text.c_str(), stderr);
        }
    }
    va_end(again);
    return length;
}

void vl_stop(const char* file, int line, const char*) {
    if (!current) return;
    current->violated = true;
    // A failing assertion has printed itself.
    if (current->text.empty()) note(file, line, "$stop");
}

void vl_finish(const char* file, int line, const char*) {
    if (!current) return;
    current->violated = true;
    note(file, line, "$finish");
}

void vl_fatal(const char* file, int line, const char*, const char* message) {
    note(file, line, message);
    throw Fatal{};
}

// Makes an instance with all inputs, clocks and resets 0. Registers without an initial value start at 0, or at random
// with a `seed` other than 0.
EXPORT Model* hematite_new(int seed) {
    // Threads that seed at the same time disturb each other's sequence.
    static std::mutex seeding;
    const std::lock_guard<std::mutex> lock(seeding);
    auto model = std::make_unique<Model>();
    call(*model, [&] {
        if (seed) {
            model->context.randReset(2);
            model->context.randSeed(seed);
        }
#if VM_TRACE
        model->context.traceEverOn(true);
#endif
        model->top = std::make_unique<Vmodel>(&model->context, "");
        clear_inputs(*model->top);
        evaluate(*model);
    });
    return model.release();
}

EXPORT void hematite_delete(Model* model) {
    call(*model, [&] { end_waveform(*model); });
    // What the destructors of the model free is found through the thread's context.
    Verilated::threadContextp(&model->context);
    delete model;
}

// Where the value of a port is: the interface's ports first, then clock and reset of each domain. Null where none is.
EXPORT void* hematite_port(Model* model, size_t index) { return port_address(*model->top, index); }

EXPORT bool hematite_settle(Model* model) {
    return call(*model, [&] { evaluate(*model); });
}

EXPORT bool hematite_step(Model* model, const size_t* domains, size_t count) {
    return call(*model, [&] {
        Vmodel& top = *model->top;
        const bool trace = traced(*model);
        model->context.time(model->cycle * PERIOD + PERIOD / 2);
        // An edge detector has to see the clock low before it can see it rise.
        if (trace || (!EDGES_ARE_FORGOTTEN && model->fall_unseen)) evaluate(*model);
        if (trace) sample(*model, 0);
        for (size_t i = 0; i < count; ++i) set_clock(top, domains[i], 1);
        evaluate(*model);
        if (trace) sample(*model, PERIOD / 2);
        for (size_t i = 0; i < count; ++i) {
            set_clock(top, domains[i], 0);
            forget_edge(top, domains[i]);
        }
        model->fall_unseen = true;
        ++model->cycle;
    });
}

// Why the last call returned false.
EXPORT const char* hematite_text(Model* model) { return model->text.c_str(); }

EXPORT bool hematite_trace(Model* model, const char* file) {
    return call(*model, [&] {
#if VM_TRACE
        end_waveform(*model);
        // A writer remembers the time of its last sample beyond the end of its file, so every file has its own.
        model->waveform = std::make_unique<VerilatedFstC>();
        model->top->trace(model->waveform.get(), 99);
        model->waveform->open(file);
#endif
    });
}

EXPORT bool hematite_coverage(Model* model, const char* file) {
    return call(*model, [&] {
#if VM_COVERAGE
        model->context.coveragep()->write(file);
#endif
    });
}
