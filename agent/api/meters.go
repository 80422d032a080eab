package api

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
)

// meters are the server's own metrics. Labels are the words of the route table
// and of the failure registry, never a caller's.
type meters struct{ set *metrics.Set }

func newMeters() *meters { return &meters{set: metrics.NewSet()} }

// routeMeter counts one route.
type routeMeter struct {
	classes [6]*metrics.Counter // by the status' hundreds
	took    *metrics.PrometheusHistogram
}

func (m *meters) route(row route) *routeMeter {
	labels := fmt.Sprintf("method=%q,route=%q", row.method, row.path)
	r := &routeMeter{}
	for class := 2; class < len(r.classes); class++ {
		r.classes[class] = m.set.NewCounter(fmt.Sprintf(`authbridge_http_requests_total{%s,status="%dxx"}`, labels, class))
	}
	if row.media != eventStream && !row.streams { // how long a stream was open says nothing
		r.took = m.set.NewPrometheusHistogramExt(fmt.Sprintf("authbridge_http_request_duration_seconds{%s}", labels),
			[]float64{.0001, .0003, .001, .002, .005, .01, .05, .1, 1, 10, 60})
	}
	return r
}

func (r *routeMeter) observe(status int, took time.Duration) {
	if class := status / 100; class >= 2 && class < len(r.classes) {
		r.classes[class].Inc()
	}
	if r.took != nil {
		r.took.Update(took.Seconds())
	}
}

func (m *meters) refused(code failure.Code) {
	m.set.GetOrCreateCounter(fmt.Sprintf("authbridge_http_refused_total{code=%q}", string(code))).Inc()
}

func (m *meters) streams(count func() int) {
	m.set.NewGauge("authbridge_http_held_requests", func() float64 { return float64(count()) })
}

type metricsOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *Server) getMetrics(context.Context, *struct{}) (*metricsOutput, error) {
	var text lines
	s.meters.set.WritePrometheus(&text)
	writeLeases(&text, s.config.Leases.Leases())
	writeSnapshot(&text, s.config.Inventory.View().Snapshot())
	metrics.WriteProcessMetrics(&text)
	return &metricsOutput{ContentType: "text/plain; version=0.0.4; charset=utf-8", Body: text}, nil
}

// writeLeases says how many are lent and how many wait, not who.
func writeLeases(w io.Writer, leases []contract.Lease) {
	count := make(map[contract.LeaseState]int)
	for i := range leases {
		count[leases[i].State]++
	}
	for _, state := range []contract.LeaseState{contract.LeaseActive, contract.LeaseEnding, contract.LeaseQueued} {
		_, _ = fmt.Fprintf(w, "authbridge_leases{state=%q} %d\n", state, count[state])
	}
}

// countEnds counts ceremonies and login runs that are over, as the events tell of
// them. It ends with the inventory or ctx.
func (s *Server) countEnds(ctx context.Context) {
	events, err := s.config.Inventory.Subscribe(ctx, "")
	for err == nil {
		var d inventory.Delivery
		d, err = events.Next(ctx)
		for _, e := range d.Events {
			event := e.Event(inventory.Viewer{})
			if c := event.Ceremony; c != nil && c.State.Over() {
				s.meters.ceremony(c)
			}
			if l := event.Login; l != nil && l.State.Over() {
				s.meters.login(l)
			}
		}
	}
}

func (m *meters) ceremony(c *contract.Ceremony) {
	m.set.GetOrCreateCounter(fmt.Sprintf("authbridge_ceremonies_total{type=%q,origin=%q,outcome=%q}", c.Type, c.Origin, c.State)).Inc()
}

func (m *meters) login(l *contract.Login) {
	m.set.GetOrCreateCounter(fmt.Sprintf("authbridge_logins_total{target=%q,scenario=%q,outcome=%q}", l.Target, l.Scenario, l.State)).Inc()
}

// lines is a buffer.
type lines []byte

// Write appends.
func (l *lines) Write(b []byte) (int, error) {
	*l = append(*l, b...)
	return len(b), nil
}

// writeSnapshot says what there is, by kind and state. It names no device:
// names may be personal, and there is no end to them.
func writeSnapshot(w io.Writer, snapshot *contract.Snapshot) {
	for _, source := range snapshot.Sources {
		up := 0
		if source.State == "up" {
			up = 1
		}
		_, _ = fmt.Fprintf(w, "authbridge_source_up{source=%q} %d\n", source.Name, up)
	}
	count := func(name string, of map[string]int) {
		for _, labels := range sortedKeys(of) {
			_, _ = io.WriteString(w, name+"{"+labels+"} "+strconv.Itoa(of[labels])+"\n")
		}
	}
	readers, authenticators, checks := map[string]int{}, map[string]int{}, map[string]int{}
	add := func(list []contract.Check) {
		for _, c := range list {
			checks[fmt.Sprintf("code=%q,state=%q", c.Code, c.State)]++
		}
	}
	add(snapshot.Checks)
	for i := range snapshot.Readers {
		r := &snapshot.Readers[i]
		readers[fmt.Sprintf("origin=%q,condition=%q", r.Origin, r.Condition)]++
		add(r.Checks)
	}
	for i := range snapshot.Authenticators {
		a := &snapshot.Authenticators[i]
		authenticators[fmt.Sprintf("kind=%q,origin=%q,condition=%q", a.Kind, a.Origin, a.Condition)]++
		add(a.Checks)
	}
	count("authbridge_readers", readers)
	count("authbridge_authenticators", authenticators)
	count("authbridge_checks", checks)
}
