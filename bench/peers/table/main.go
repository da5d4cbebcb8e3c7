// Command table reads lines of figures and prints each side's least, median
// and greatest, and how Custody compares with each peer in the same round.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"custody.example/bench/peers/internal/figures"
)

// custody is the side that the others are compared with.
const custody = "custody"

// group is the runs of one side in one setting.
type group struct {
	name string
	side string
	runs []figures.Figures
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	groups, err := read(in)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "side\truns\tevents\tevents/s min\tmedian\tmax\tp50 ms\tp99 ms\tdisk B/event\tlog B/event\tpeak MiB\tCPU us/event\twhat is waited for")
	for _, g := range groups {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t%s\t%s\t%.1f\t%s\n",
			g.side+" "+g.runs[0].Version, len(g.runs), g.runs[0].Events,
			slices.Min(g.of(rate)), median(g.of(rate)), slices.Max(g.of(rate)),
			median(g.of(p50)), median(g.of(p99)), median(g.of(disk)), orNone(median(g.of(log))),
			g.memory(), median(g.of(cpu)), g.runs[0].Setting)
	}
	if err := table.Flush(); err != nil {
		return err
	}

	ratios := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, ours := range groups {
		if ours.side != custody {
			continue
		}
		fmt.Fprintf(ratios, "\n%s (%s), of the same round's\tevents/s min\tmedian\tmax\tp99\tdisk\tCPU\n", ours.side, ours.runs[0].Setting)
		for _, peer := range groups {
			if peer.side == custody {
				continue
			}
			speed := ratio(ours, peer, rate)
			if len(speed) == 0 {
				continue
			}
			fmt.Fprintf(ratios, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\n", peer.name,
				slices.Min(speed), median(speed), slices.Max(speed),
				median(ratio(ours, peer, p99)), median(ratio(ours, peer, disk)), median(ratio(ours, peer, cpu)))
		}
	}
	return ratios.Flush()
}

// read groups lines by side and setting, in the order in which they first come.
func read(in io.Reader) ([]*group, error) {
	var groups []*group
	lines := bufio.NewScanner(in)
	for number := 1; lines.Scan(); number++ {
		var found figures.Figures
		if err := json.Unmarshal(lines.Bytes(), &found); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		name := fmt.Sprintf("%s (%s)", found.Side, found.Setting)
		at := slices.IndexFunc(groups, func(g *group) bool { return g.name == name })
		if at < 0 {
			at = len(groups)
			groups = append(groups, &group{name: name, side: found.Side})
		}
		groups[at].runs = append(groups[at].runs, found)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return groups, nil
}

func rate(f figures.Figures) float64 { return f.EventsPerSecond }
func p50(f figures.Figures) float64  { return f.P50Ms }
func p99(f figures.Figures) float64  { return f.P99Ms }
func disk(f figures.Figures) float64 { return f.DiskBytes }
func log(f figures.Figures) float64  { return f.LogBytes }
func cpu(f figures.Figures) float64  { return f.CPUMicros }

func (g *group) of(value func(figures.Figures) float64) []float64 {
	values := make([]float64, len(g.runs))
	for i, found := range g.runs {
		values[i] = value(found)
	}
	return values
}

// memory is of a server and its client apart.
func (g *group) memory() string {
	text := fmt.Sprintf("%.0f", median(g.of(func(f figures.Figures) float64 { return f.PeakMiB })))
	if client := median(g.of(func(f figures.Figures) float64 { return f.ClientPeakMiB })); client > 0 {
		text += fmt.Sprintf(" + %.0f", client)
	}
	return text
}

// ratio is ours to theirs, for each round that has both: what else the machine
// did then, it did to both.
func ratio(ours, theirs *group, value func(figures.Figures) float64) []float64 {
	var ratios []float64
	for _, our := range ours.runs {
		for _, their := range theirs.runs {
			if our.Round == their.Round && value(their) > 0 {
				ratios = append(ratios, value(our)/value(their))
			}
		}
	}
	return ratios
}

// median is the mean of the middle two where there are two.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func orNone(value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", value)
}
