"""The linters are only worth running if they can fail: each finds the mistake that is its own."""

import pathlib
import tempfile
import textwrap
import unittest

import lint

CLEAN = """
    // Adds one.
    module top (
        input  wire       clk,
        input  wire [3:0] a,
        output reg  [3:0] y
    );
      always @(posedge clk) begin
        y <= a + 4'd1;
      end
    endmodule
"""


class LintTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = pathlib.Path(folder.name)

    def write(self, name: str, text: str):
        (self.directory / name).write_text(textwrap.dedent(text).lstrip())

    def findings(self, text: str) -> dict[str, str]:
        self.write("top.v", text)
        return {each.tool: each.findings for each in lint.lint(lint.load(self.directory, "top")) if each.findings}

    def test_clean_text_is_silent_everywhere(self):
        self.assertEqual(self.findings(CLEAN), {})

    def test_verilator_sees_an_unused_bit(self):
        found = self.findings(CLEAN.replace("a + 4'd1", "{1'b0, a[2:0]}"))
        self.assertIn("UNUSEDSIGNAL", found["verilator"])

    def test_icarus_sees_an_implicit_net(self):
        found = self.findings(CLEAN.replace("      always", "      assign nowhere = a[0];\n      always"))
        self.assertIn("implicit definition", found["iverilog"])

    def test_both_yosys_see_a_loop(self):
        loop = "      wire p;\n      wire q = ~p;\n      assign p = q ^ a[0];\n      always"
        found = self.findings(CLEAN.replace("      always", loop).replace("4'd1", "{3'd0, q}"))
        self.assertIn("logic loop", found["yosys (system)"])
        self.assertIn("logic loop", found["yosys (PyPI)"])

    def test_assertions_are_read_too(self):
        broken = "`ifdef FORMAL\n      always @(posedge clk) begin\n        assert (nothing);\n      end\n`endif\n      always"
        found = self.findings(CLEAN.replace("      always", broken))
        self.assertEqual(list(found), ["verilator, assertions", "yosys, assertions"])

    def test_slang_sees_a_change_of_sign(self):
        found = self.findings(CLEAN.replace("a + 4'd1", "$signed(a) >>> 1"))
        self.assertIn("sign-conversion", found["slang"])

    def test_slang_takes_verilog_2005_only(self):
        found = self.findings(CLEAN.replace("always @(posedge clk)", "always_ff @(posedge clk)"))
        self.assertIn("always_ff", found["slang"])

    def test_verible_sees_a_sensitivity_star(self):
        star = "      reg b;\n      always @* b = a[0];\n      always"
        found = self.findings(CLEAN.replace("      always", star).replace("4'd1", "{3'd0, b}"))
        self.assertEqual(list(found), ["verible"])

    def test_a_waiver_in_the_text_is_found(self):
        found = self.findings("// verilator lint_off UNUSEDSIGNAL\n" + textwrap.dedent(CLEAN))
        self.assertIn("top.v:1", found["no waiver in the text"])

    def test_the_file_list_decides(self):
        self.write("a.v", CLEAN.replace("top", "a"))
        self.write("b.v", CLEAN.replace("top", "b"))
        self.write("design.f", "// only one\na.v\n")
        self.assertEqual(lint.load(self.directory, None), lint.Design(self.directory, ["a.v"], "a"))
        self.write("design.f", "a.v\nc.v\n")
        self.assertRaisesRegex(lint.Unusable, "no c.v", lint.load, self.directory, None)

    def test_a_doubtful_top_is_asked_for(self):
        self.write("a.v", CLEAN.replace("top", "a"))
        self.write("b.v", CLEAN.replace("top", "b"))
        self.assertRaisesRegex(lint.Unusable, r"2 top modules \(a, b\)", lint.load, self.directory, None)

    def test_the_top_is_what_nothing_instantiates(self):
        self.write("a.v", CLEAN.replace("top", "a"))
        self.write("b.v", "module b;\n  a u_a (\n      .clk(1'b0)\n  );\nendmodule\n")
        self.assertEqual(lint.load(self.directory, None).top, "b")


if __name__ == "__main__":
    unittest.main()
