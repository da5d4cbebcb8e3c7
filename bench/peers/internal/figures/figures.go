// Package figures is what one run of one side found, and how it is measured.
package figures

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Figures is one run: a line of JSON.
type Figures struct {
	// Side is "postgresql", "tessera" or "custody".
	Side string `json:"side"`
	// Version of the side's software.
	Version string `json:"version"`
	// Setting tells runs of one side apart.
	Setting string `json:"setting"`
	// Round numbers the runs that belong together; the caller's.
	Round int `json:"round"`
	// Events appended.
	Events int `json:"events"`
	// Seconds from the first append until the last is acknowledged.
	Seconds float64 `json:"seconds"`
	// EventsPerSecond is Events / Seconds.
	EventsPerSecond float64 `json:"events_per_s"`
	// P50Ms and P99Ms are over what Setting says is waited for.
	P50Ms float64 `json:"p50_ms"`
	P99Ms float64 `json:"p99_ms"`
	// DiskBytes that an event takes at the end.
	DiskBytes float64 `json:"disk_bytes_per_event"`
	// LogBytes that an event wrote besides to a log that is recycled.
	LogBytes float64 `json:"log_bytes_per_event,omitempty"`
	// PeakMiB is the peak of resident memory, of a server if there is one.
	PeakMiB float64 `json:"peak_mib"`
	// ClientPeakMiB is that of the server's client, if there is one.
	ClientPeakMiB float64 `json:"client_peak_mib,omitempty"`
	// CPUMicros is CPU time of all processes, microseconds an event.
	CPUMicros float64 `json:"cpu_us_per_event"`
}

// Timed fills in what follows from a run's length and its latencies.
func (f *Figures) Timed(took time.Duration, latencies []time.Duration) {
	f.Seconds = took.Seconds()
	f.EventsPerSecond = float64(f.Events) / f.Seconds
	slices.Sort(latencies)
	f.P50Ms = percentile(latencies, 50)
	f.P99Ms = percentile(latencies, 99)
}

// percentile of sorted values by nearest rank, in milliseconds.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return float64(sorted[max(rank, 1)-1]) / float64(time.Millisecond)
}

// Print writes the line.
func (f *Figures) Print() error { return json.NewEncoder(os.Stdout).Encode(f) }

// PeakMiB is this process's VmHWM (proc(5)).
func PeakMiB() (float64, error) {
	kib, err := Status("self", "VmHWM:")
	return kib["VmHWM:"] / 1024, err
}

// Status reads numbers from /proc/PID/status.
func Status(pid string, names ...string) (map[string]float64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.Contains(names, fields[0]) {
			continue
		}
		if values[fields[0]], err = strconv.ParseFloat(fields[1], 64); err != nil {
			return nil, fmt.Errorf("/proc/%s/status: %w", pid, err)
		}
	}
	return values, nil
}

// CPU is the CPU time that this process has used.
func CPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// DiskBytes is what is allocated on disk below a directory.
func DiskBytes(dir string) (int64, error) {
	var bytes int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			bytes += stat.Blocks * 512
		}
		return nil
	})
	return bytes, err
}

// Check refuses a directory in which a synced write costs nothing.
func Check(dir string) error {
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // statfs(2)
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if kind := uint32(stat.Type); kind == tmpfs || kind == ramfs {
		return fmt.Errorf("%s is in memory: give a directory on a disk", dir)
	}
	return nil
}
