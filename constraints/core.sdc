# The core clock: 64 bits at 156.25 MHz are 10 Gb/s.
create_clock -name clk -period 6.4 [get_ports clk]
