package ceremony

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
)

// pins is the one way by which a PIN reaches an authenticator, and holds DESIGN
// rule 1. Whatever is to be known before a PIN is sent is looked at, and the PIN
// sent, in one step that only one caller at a time takes at an authenticator.
//
// What was refused is remembered twice: as a keyed hash of the PIN, in memory,
// and as a block of the source that it came from, in the store.
type pins struct {
	store Store
	now   func() time.Time
	tell  func(...contract.Event)
	key   []byte // of the hashes; nobody else has it, and it dies with the process

	mu     sync.Mutex // guards all, and the fields of each that say so
	owners map[string]*pinOwner
}

// pinOwner is what is known of one authenticator's PIN. Who has the turn owns it.
type pinOwner struct {
	turn    chan struct{}
	refused refusals

	// Below is the mutex's.
	users  int // who have the turn or wait for it
	spent  int // how many tries may have been spent
	blocks map[Source]contract.PINBlock
	worked []Source // the last secrets of which a PIN was right
	opened string   // lease in which the right PIN was sent to a card
}

// attempt is a PIN on its way to an authenticator.
type attempt struct {
	authenticator string
	kind          contract.Kind // whose PINs have another form: contract.Smartcard or any other
	source        Source
	// caller is who names the source, where it is a secret: its requests are a
	// source too. "" is any other source.
	caller Source
	pin    []byte
	// tries are those left, as the authenticator told in the same transaction,
	// or nil.
	tries *int
	// floor is how many are never spent; override spends them, for this attempt.
	floor    int
	override bool

	wrote []Source // whose blocks were written for it
}

// errNotSent is for what a send fails with that has given no PIN to the
// authenticator, beside those that [uncompared] knows.
var errNotSent = errors.New("the PIN was not sent")

// errUnanswered is a PIN whose fate nobody knows.
var errUnanswered = errors.New("no answer came to the PIN, so a try may be spent")

// newPINs reads the blocks that are kept.
func newPINs(ctx context.Context, store Store, now func() time.Time, tell func(...contract.Event)) (*pins, error) {
	blocks, err := store.Blocks(ctx)
	if err != nil {
		return nil, err
	}
	p := &pins{store: store, now: now, tell: tell, key: make([]byte, 32), owners: make(map[string]*pinOwner)}
	rand.Read(p.key)
	for _, block := range blocks {
		p.owner(block.Authenticator).blocks[Source(block.Source)] = block
	}
	return p, nil
}

// attempt sends a PIN by send, once, or says why it did not. The pin is wiped,
// whatever happens. It waits for attempts at the same authenticator that are
// under way; if one of them spent a try, the caller's count of them is of no
// use any more, and is taken for none.
//
// The block of the source is written before the PIN is sent, so that who is
// killed in between finds it there. With that of a secret comes that of its
// caller, who makes up the names: while it stands, nothing is sent from there
// but under names under which a PIN was right before. They go when the right PIN
// was seen, or when the answer proves that none was compared. They stay after a
// refusal, and where no answer came. A person's PIN has no block, not even
// meanwhile: a block of all persons is what nobody would read, and the person
// who sees the daemon die knows what a restarted one cannot.
func (p *pins) attempt(ctx context.Context, a attempt, send func(pin []byte) error) error {
	defer clear(a.pin)
	o, fresh, err := p.take(ctx, a.authenticator)
	if err != nil {
		return err
	}
	defer p.give(a.authenticator, o)
	if a.kind != contract.Smartcard {
		// A key knows one form of it, and so does what is remembered of it.
		if normal, err := fido.NormalPIN(a.pin); err == nil {
			a.pin = normal
			defer clear(normal)
		}
	}
	hash := p.hash(a.authenticator, a.pin)
	if err := p.check(o, a, hash, fresh); err != nil {
		if before, _ := o.refused.find(hash); before == wasRefused && failure.CodeOf(err) == failure.PINRefusedBefore {
			err = errors.Join(err, p.blockToo(ctx, o, a))
		}
		return err
	}
	if a.override && *a.tries <= a.floor {
		p.say(contract.PINOverridden, a.authenticator, "a PIN from "+string(a.source)+" is sent with "+triesLeft(*a.tries)+", because that was asked for")
	}
	if err := p.putBlocks(ctx, o, &a); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, p.dropBlocks(ctx, o, a))
	}
	return p.settle(ctx, o, a, hash, send(a.pin))
}

// check decides whether the PIN may be sent. The count of tries is fresh if none
// was spent since.
//
// Whether the PIN was refused before is said to those alone who sent it
// themselves, or who could send it now: to guess what somebody else has entered
// costs a try and a block, as every guess.
func (p *pins) check(o *pinOwner, a attempt, hash pinHash, fresh bool) error {
	if err := pinForm(a.kind, a.pin); err != nil {
		return &failure.Error{Code: failure.PINFormat, Err: err}
	}
	before, from := o.refused.find(hash)
	known := func() error {
		switch {
		case before == wasRefused:
			return &failure.Error{Code: failure.PINRefusedBefore}
		case before == wasUnanswered && a.source != Person: // who saw the card go, and may try again what they typed
			return &failure.Error{Code: failure.PINRefusedBefore, Detail: "it was sent before, and whether it is right was not answered"}
		}
		return nil
	}
	if from == a.source {
		if err := known(); err != nil {
			return err
		}
	}
	if err := p.blocked(o, a); err != nil {
		return err
	}
	if err := mayTry(a.tries, a.floor, a.override); err != nil {
		return err
	}
	if err := known(); err != nil {
		return err
	}
	if !fresh {
		return &failure.Error{Code: failure.PINTriesUnknown, Detail: "another PIN was sent since they were read: begin again"}
	}
	return nil
}

// mayTry says whether there are tries enough for one more. Unknown ones are too
// few, and of none no override spends one.
func mayTry(tries *int, floor int, override bool) error {
	switch {
	case tries == nil || *tries < 0:
		return &failure.Error{Code: failure.PINTriesUnknown}
	case *tries > floor, override && *tries > 0:
		return nil
	}
	return &failure.Error{Code: failure.PINTooFewTries, Detail: fmt.Sprintf("%s, and %d are kept", triesLeft(*tries), floor)}
}

// settle draws the conclusion from what came of a PIN that was given to send.
func (p *pins) settle(ctx context.Context, o *pinOwner, a attempt, hash pinHash, err error) error {
	switch {
	case err == nil:
		o.refused.forget()
		p.clearBlocks(ctx, o, a)
		p.remember(o, a, true)
		return nil
	case refused(err):
		p.spend(o)
		o.refused.add(hash, wasRefused, a.source)
		p.remember(o, a, false)
		p.sayBlocked(a, "was refused")
		return &failure.Error{Code: failure.PINRefused, Detail: refusalOf(err), Err: err}
	case uncompared(err):
		return errors.Join(err, p.dropBlocks(ctx, o, a))
	}
	p.spend(o)
	o.refused.add(hash, wasUnanswered, a.source)
	p.remember(o, a, false)
	p.sayBlocked(a, "was sent and not answered")
	return fmt.Errorf("%w: %w", errUnanswered, err)
}

// refused reports whether the authenticator has compared a PIN and found it
// wrong. CTAP2_ERR_PIN_BLOCKED and CTAP2_ERR_PIN_AUTH_BLOCKED are answers to a
// wrong PIN, the last or the third in a row (CTAP 2.1, 6.5.5.7); they are also
// those of a key that compares none any more, and count as refusals there: with
// the tries read before, no PIN is sent to such a key.
func refused(err error) bool {
	var card *piv.RefusedError
	var key *fido.StatusError
	switch {
	case errors.As(err, &card):
		return true
	case errors.As(err, &key):
		switch key.Status {
		case fido.CTAP2_ERR_PIN_INVALID, fido.CTAP2_ERR_PIN_BLOCKED, fido.CTAP2_ERR_PIN_AUTH_BLOCKED:
			return true
		}
	}
	return false
}

// uncompared reports whether an error proves that no PIN was compared. A status
// of a key that it gives both before and after, or that says nothing of when,
// proves nothing.
func uncompared(err error) bool {
	if errors.Is(err, errNotSent) || errors.Is(err, pcsc.ErrClosed) || piv.Uncompared(err) {
		return true
	}
	var key *fido.StatusError
	if !errors.As(err, &key) {
		return false
	}
	switch key.Status {
	case fido.CTAP1_ERR_INVALID_COMMAND, fido.CTAP1_ERR_INVALID_PARAMETER, fido.CTAP1_ERR_INVALID_LENGTH,
		fido.CTAP2_ERR_CBOR_UNEXPECTED_TYPE, fido.CTAP2_ERR_INVALID_CBOR, fido.CTAP2_ERR_MISSING_PARAMETER,
		fido.CTAP2_ERR_PIN_NOT_SET, fido.CTAP2_ERR_REQUEST_TOO_LARGE, fido.CTAP2_ERR_INVALID_SUBCOMMAND,
		fido.CTAP2_ERR_UNAUTHORIZED_PERMISSION:
		return true
	}
	return false
}

// refusalOf is the specification's number, and the tries left where the answer
// has them.
func refusalOf(err error) string {
	var card *piv.RefusedError
	var key *fido.StatusError
	switch {
	case errors.As(err, &card):
		text := "SW " + card.Status.SW.String()
		if card.Tries >= 0 {
			text += ", " + triesLeft(int(card.Tries))
		}
		return text
	case errors.As(err, &key):
		return key.Status.String()
	}
	return ""
}

func triesLeft(n int) string {
	switch n {
	case 0:
		return "no try left"
	case 1:
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", n)
}

// pinForm says why there can be no such PIN.
func pinForm(kind contract.Kind, pin []byte) error {
	if kind == contract.Smartcard {
		return piv.CheckPIN(pin)
	}
	normal, err := fido.NormalPIN(pin)
	clear(normal)
	return err
}

// blocks lists the blocks, by authenticator and source.
func (p *pins) blocks() []contract.PINBlock {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []contract.PINBlock{}
	for _, o := range p.owners {
		list = slices.AppendSeq(list, maps.Values(o.blocks))
	}
	slices.SortFunc(list, func(a, b contract.PINBlock) int {
		return cmp.Or(cmp.Compare(a.Authenticator, b.Authenticator), cmp.Compare(a.Source, b.Source))
	})
	return list
}

// unblock is a person's word that the PINs were put right where they come from.
// A PIN that was refused is not sent again all the same; one that was never
// answered is. It waits for an attempt that is under way.
func (p *pins) unblock(ctx context.Context, authenticator string) error {
	o, _, err := p.take(ctx, authenticator)
	if err != nil {
		return err
	}
	defer p.give(authenticator, o)
	if err := p.store.DeleteBlocks(ctx, authenticator); err != nil {
		return err
	}
	o.refused.forgetUnanswered()
	p.mu.Lock()
	were := len(o.blocks)
	clear(o.blocks)
	p.mu.Unlock()
	if were > 0 {
		p.say(contract.PINUnblocked, authenticator, "PINs from everywhere are sent again: a person cleared the block")
	}
	return nil
}
