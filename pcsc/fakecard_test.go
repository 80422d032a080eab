package pcsc

import (
	"slices"
	"strings"
	"sync"
)

// fakeCard is what a fakeSystem connects to. It writes down the calls, can be
// made to hang in one, and knows who calls while another call is out.
type fakeCard struct {
	mu        sync.Mutex
	log       []string
	hang      map[string]chan struct{} // by call: blocked until closed
	refuse    map[string]error
	answer    []byte
	protocol  Protocol
	attribute []byte
	commands  [][]byte // the very slices that were given
	busy      map[*fakeContext]bool
	trodden   bool // two calls at once on one context
}

func newFakeCard() *fakeCard {
	return &fakeCard{
		hang: make(map[string]chan struct{}), refuse: make(map[string]error), busy: make(map[*fakeContext]bool),
		answer: []byte{0x90, 0x00}, protocol: ProtocolT1,
	}
}

func (k *fakeCard) note(call string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, call)
}

// hangs makes a call block until the returned function is called.
func (k *fakeCard) hangs(call string) (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ch := make(chan struct{})
	k.hang[call] = ch
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.hang, call)
		close(ch)
	}
}

// story is the log so far, and begins it anew.
func (k *fakeCard) story() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	log := strings.Join(k.log, ", ")
	k.log = nil
	return log
}

func (k *fakeCard) call(c *fakeContext, name string) error {
	k.mu.Lock()
	k.trodden = k.trodden || k.busy[c]
	k.busy[c] = true
	k.log = append(k.log, name)
	hang, err := k.hang[name], k.refuse[name]
	k.mu.Unlock()
	if hang != nil {
		<-hang
	}
	k.mu.Lock()
	k.busy[c] = false
	k.mu.Unlock()
	return err
}

func (c *fakeContext) Connect(_ string, share ShareMode, protocols Protocol) (Handle, error) {
	c.f.mu.Lock()
	card := c.f.card
	c.f.mu.Unlock()
	name := "connect"
	switch {
	case share == ShareDirect && protocols == ProtocolUndefined:
		name = "connect direct"
	case share != ShareShared || protocols != ProtocolAny:
		name = "connect otherwise"
	}
	if err := card.call(c, name); err != nil {
		return nil, err
	}
	return &fakeHandle{c, card}, nil
}

type fakeHandle struct {
	c    *fakeContext
	card *fakeCard
}

func (h *fakeHandle) Protocol() Protocol { return h.card.protocol }

func (h *fakeHandle) Transmit(command []byte) ([]byte, error) {
	h.card.mu.Lock()
	h.card.commands = append(h.card.commands, command)
	h.card.mu.Unlock()
	err := h.card.call(h.c, "transmit")
	return slices.Clone(h.card.answer), err
}

func (h *fakeHandle) BeginTransaction() error { return h.card.call(h.c, "begin") }

func (h *fakeHandle) EndTransaction(d Disposition) error {
	return h.card.call(h.c, "end"+left(d))
}

func (h *fakeHandle) Attribute(Attribute) ([]byte, error) {
	err := h.card.call(h.c, "attribute")
	return h.card.attribute, err
}

func (h *fakeHandle) Disconnect(d Disposition) error {
	return h.card.call(h.c, "disconnect"+left(d))
}

func left(d Disposition) string {
	if d == LeaveCard {
		return ""
	}
	return " AND NOT LEFT AS IT IS"
}
