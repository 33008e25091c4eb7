mod samples;

#[test]
fn show() {
    for (name, design) in samples::all() {
        let verilog = design.verilog();
        let dir = format!("/tmp/e/out/{name}");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        for file in verilog.files.iter().chain(&verilog.models) {
            std::fs::write(format!("{dir}/{}", file.name), &file.text).unwrap();
        }
        std::fs::write(format!("{dir}/ports.md"), verilog.port_reference()).unwrap();
        std::fs::write(format!("{dir}/top"), &verilog.top).unwrap();
    }
}
