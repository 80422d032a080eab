package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"authbridge/agent/contract"
)

const (
	crowdReaders = 16
	crowdKeys    = 32
	crowdClients = 500
	crowdSwaps   = 64 // of cards, for one measurement
	// swapPause is long enough for all clients to have what a swap caused:
	// one that is behind gets many events in one write, and costs less.
	swapPause = 100 * time.Millisecond
)

// crowd measures what readers, keys and clients cost, with virtual ones in the
// daemon: what is measured is the inventory and the streams, no device.
func (b *bench) crowd(h *harness) {
	daemon := b.startDaemon(h, b.newState(h), "--virtual", "on", "--physical", "off")
	c := &crowd{bench: b, h: h, daemon: daemon, w: daemon.dial(h)}
	c.awaitReady(2)
	few := c.measure(0)
	b.say("  making %d cards and %d keys", crowdReaders, crowdKeys)
	for i := 1; i < crowdReaders; i++ {
		c.post("/v1/virtual/cards", fmt.Sprintf(`{"name":"reader-%d"}`, i))
	}
	for i := 1; i < crowdKeys; i++ {
		c.post("/v1/virtual/keys", fmt.Sprintf(`{"name":"key-%d"}`, i))
	}
	c.awaitReady(crowdReaders + crowdKeys)

	alone := c.measure(0)
	const growth = (crowdReaders + crowdKeys) / 2
	grown := quotient(alone.perEvent(), few.perEvent())
	b.add(row{
		What: fmt.Sprintf("CPU for an event with %d readers and %d keys", crowdReaders, crowdKeys), Goal: "no faster than linearly",
		Measured: ms(alone.perEvent()) + " ms", Peers: fmt.Sprintf("with 1 and 1 %s ms", ms(few.perEvent())),
		Ratio: fmt.Sprintf("%.1f × for %d × as many", grown, growth), Met: met(grown <= growth),
	})

	var quarter, full outcome
	for _, n := range []int{crowdClients / 4, crowdClients / 2, crowdClients} {
		full = c.measure(n)
		if n == crowdClients/4 {
			quarter = full
		}
		b.say("  %d clients: %s ms CPU for an event, %d events, %d lost", n, ms(full.perEvent()), full.events, full.lost)
	}
	grown = quotient(full.perEvent(), quarter.perEvent())
	b.add(row{
		What: fmt.Sprintf("CPU for an event with %d clients of the event stream", crowdClients), Goal: "no faster than linearly; no event lost",
		Measured: fmt.Sprintf("%s ms, %.1f µs of it for each client; %d × %d events, %d lost; first to last client %s", ms(full.perEvent()),
			float64(full.perEvent()-alone.perEvent())/crowdClients/1e3, full.clients, full.events, full.lost, full.spread),
		Peers: fmt.Sprintf("with %d clients %s ms, with none %s ms; %.0f kB of memory a client", quarter.clients, ms(quarter.perEvent()), ms(alone.perEvent()), full.memory*1e3/crowdClients),
		Ratio: fmt.Sprintf("%.1f × for 4 × as many", grown), Met: met(full.lost == 0 && grown <= 4),
	})
}

type crowd struct {
	*bench
	h      *harness
	daemon *daemon
	w      *wire
}

// outcome is what a number of clients cost.
type outcome struct {
	clients, events, lost int
	cpu                   time.Duration
	spread                samples // from the first client that has an event to the last
	memory                float64 // MB, for all clients
}

func (o outcome) perEvent() time.Duration { return o.cpu / time.Duration(max(o.events, 1)) }

func (c *crowd) post(target, body string) {
	_, _, err := c.w.send(c.w.request(http.MethodPost, target, body))
	c.h.must(err)
}

func (c *crowd) snapshot() contract.Snapshot {
	body, _, err := c.w.get("/v1/status")
	c.h.must(err)
	var s contract.Snapshot
	c.h.must(json.Unmarshal(body, &s))
	return s
}

func (c *crowd) awaitReady(n int) {
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); c.wait(100 * time.Millisecond) {
		ready := 0
		for _, a := range c.snapshot().Authenticators {
			if a.Condition == contract.Ready {
				ready++
			}
		}
		if ready == n {
			c.settled()
			return
		}
	}
	c.h.Fatalf("there are not %d ready authenticators", n)
}

// settled waits until no event came for a while, and gives the last one's id.
func (c *crowd) settled() contract.EventID {
	for last := ""; ; c.wait(500 * time.Millisecond) {
		now := c.snapshot().ID
		if now == last {
			id, err := contract.ParseEventID(now)
			c.h.must(err)
			return id
		}
		last = now
	}
}

// names are the readers with a virtual card in them.
func (c *crowd) names() (names []string) {
	body, _, err := c.w.get("/v1/virtual")
	c.h.must(err)
	var all []contract.VirtualDevice
	if err := json.Unmarshal(body, &all); err != nil {
		var wrapped struct {
			Devices []contract.VirtualDevice `json:"devices"`
		}
		c.h.must(json.Unmarshal(body, &wrapped))
		all = wrapped.Devices
	}
	for _, d := range all {
		if d.Kind == contract.Smartcard {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		c.h.Fatalf("there are no virtual cards: %s", body)
	}
	return names
}

// measure swaps cards while that many clients listen.
func (c *crowd) measure(clients int) outcome {
	before := memoryOf(c.daemon.pid())
	listeners := make([]*listener, clients)
	var reading sync.WaitGroup
	for i := range listeners {
		s, err := c.daemon.subscribe()
		c.h.must(err)
		l := &listener{stream: s, first: make(chan struct{})}
		listeners[i] = l
		reading.Go(l.run)
	}
	for _, l := range listeners {
		<-l.first
	}
	begin := c.settled()
	o := outcome{clients: clients, memory: memoryOf(c.daemon.pid()).rss - before.rss}
	names := c.names()
	cpu := cpuOf(c.daemon.pid())
	for i := range c.times(crowdSwaps) {
		c.post("/v1/virtual/cards/"+names[i%len(names)]+"/swap", "{}")
		c.wait(swapPause)
	}
	end := c.settled()
	o.cpu, o.events = cpuOf(c.daemon.pid())-cpu, int(end.Seq-begin.Seq)
	for _, l := range listeners {
		l.stream.close()
	}
	reading.Wait()
	o.account(listeners, begin.Seq, end.Seq)
	return o
}

// account finds what was lost, and how far the clients were apart.
func (o *outcome) account(listeners []*listener, begin, end uint64) {
	first, last := make([]time.Time, end-begin), make([]time.Time, end-begin)
	for _, l := range listeners {
		next := begin + 1
		for _, e := range l.events {
			if e.seq <= begin || e.seq > end {
				continue
			}
			if e.seq != next { // missing, twice or out of order
				o.lost++
			}
			next = e.seq + 1
			i := e.seq - begin - 1
			if first[i].IsZero() || e.at.Before(first[i]) {
				first[i] = e.at
			}
			if e.at.After(last[i]) {
				last[i] = e.at
			}
		}
		if next != end+1 {
			o.lost++
		}
	}
	if len(listeners) > 0 {
		for i := range first {
			o.spread = append(o.spread, last[i].Sub(first[i]))
		}
	}
}

// listener is a client of the event stream that notes what it gets.
type listener struct {
	stream *stream
	first  chan struct{} // closed at the first message, the snapshot
	events []heard
}

type heard struct {
	seq uint64
	at  time.Time
}

func (l *listener) run() {
	begun := false
	for {
		m, err := l.stream.next()
		if !begun {
			begun = true
			close(l.first)
		}
		if err != nil {
			return
		}
		if id, err := contract.ParseEventID(m.id); err == nil && m.kind != string(contract.StreamSnapshot) {
			l.events = append(l.events, heard{id.Seq, m.at})
		}
	}
}
