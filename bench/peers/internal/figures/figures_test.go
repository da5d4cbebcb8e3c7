package figures

import (
	"testing"
	"time"
)

func TestPercentilesAreByNearestRank(t *testing.T) {
	f := Figures{Events: 200}
	latencies := make([]time.Duration, 0, 200)
	for ms := 200; ms > 0; ms-- {
		latencies = append(latencies, time.Duration(ms)*time.Millisecond)
	}
	f.Timed(4*time.Second, latencies)
	if f.P50Ms != 100 || f.P99Ms != 198 || f.EventsPerSecond != 50 {
		t.Fatalf("%+v", f)
	}
	f.Timed(time.Second, []time.Duration{3 * time.Millisecond})
	if f.P50Ms != 3 || f.P99Ms != 3 {
		t.Fatalf("%+v", f)
	}
}

func TestThisProcessTakesMemory(t *testing.T) {
	if mib, err := PeakMiB(); err != nil || mib < 1 {
		t.Fatal(mib, err)
	}
}
