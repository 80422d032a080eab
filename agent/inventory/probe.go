package inventory

import (
	"context"
	"errors"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
)

// A card that was free a moment ago and is taken when we connect is tried for
// again, ever slower.
const (
	shareFirstPause = 250 * time.Millisecond
	shareLastPause  = 10 * time.Second
)

// probe reads the card in a reader once no other program is connected to it,
// the service answers, and no earlier call for the reader is still out. waiting
// is called with the reason when it has to wait for one of these. It fails with
// errClaimed if the card is claimed when its turn comes.
func (c *Cards) probe(ctx context.Context, p *probe, waiting func(error)) (*health.Card, error) {
	for pause := shareFirstPause; ; pause = min(2*pause, shareLastPause) {
		card, err := c.readFree(ctx, p, waiting)
		if errors.Is(err, errOldCallHangs) || serviceHangs(err) {
			waiting(err)
			if err := c.config.Connector.Returned(ctx, p.reader); err != nil {
				return nil, err
			}
			pause = shareFirstPause
			continue
		}
		if !errors.Is(err, pcsc.SCARD_E_SHARING_VIOLATION) {
			return card, err
		}
		waiting(err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// readFree waits until the card seems free and reads it. It fails with
// SCARD_E_SHARING_VIOLATION if another program was faster.
func (c *Cards) readFree(ctx context.Context, p *probe, waiting func(error)) (*health.Card, error) {
	connector := c.config.Connector
	if slices.Contains(connector.Hung(), p.reader) {
		return nil, errOldCallHangs
	}
	r, err := connector.Look(ctx, p.reader)
	if err == nil && taken(r) {
		waiting(pcsc.SCARD_E_SHARING_VIOLATION)
		r, err = connector.WaitFree(ctx, p.reader)
	}
	if err != nil {
		return nil, err
	}
	if !r.HasCard() {
		return nil, pcsc.SCARD_W_REMOVED_CARD
	}
	if err := c.touch(p); err != nil {
		return nil, err
	}
	defer c.letGo(p)
	return c.read(ctx, p.reader)
}

func taken(r pcsc.Reader) bool { return r.Condition == pcsc.InUse || r.Condition == pcsc.Exclusive }

// outcome is what a failed probe means.
type outcome struct {
	condition contract.Condition // empty: nothing
	code      failure.Code
	retry     bool // the card may answer better soon
	// gone: the card, the reader or the service went, it seems. Then the watch
	// says so within a second, and nothing is said here.
	gone bool
}

func outcomeOf(err error) outcome {
	var short *pcsc.ShortAnswerError
	is := func(codes ...pcsc.Code) bool {
		for _, code := range codes {
			if errors.Is(err, code) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, context.Canceled):
		return outcome{}
	case errors.Is(err, pcsc.ErrTooManyHung):
		return outcome{condition: contract.Hung, code: failure.CardHung, retry: true}
	case errors.Is(err, pcsc.ErrHung):
		return outcome{condition: contract.Hung, code: failure.CardHung}
	case errors.As(err, &short):
		return outcome{condition: contract.Unreadable, code: failure.CardUnreadable, retry: true, gone: true}
	case is(pcsc.SCARD_W_UNRESPONSIVE_CARD, pcsc.SCARD_W_UNPOWERED_CARD):
		return outcome{condition: contract.Mute, code: failure.CardMute, retry: true}
	case is(pcsc.SCARD_W_REMOVED_CARD, pcsc.SCARD_E_NO_SMARTCARD, pcsc.SCARD_E_READER_UNAVAILABLE, pcsc.SCARD_E_UNKNOWN_READER,
		pcsc.SCARD_E_NO_SERVICE, pcsc.SCARD_E_SERVICE_STOPPED, pcsc.SCARD_F_COMM_ERROR, pcsc.SCARD_E_INVALID_HANDLE):
		return outcome{condition: contract.Unreadable, code: failure.CardGone, retry: true, gone: true}
	case is(pcsc.SCARD_W_SECURITY_VIOLATION, pcsc.SCARD_E_NO_ACCESS):
		return outcome{condition: contract.Forbidden, code: failure.PCSCDenied}
	}
	return outcome{condition: contract.Unreadable, code: failure.CardUnreadable, retry: true}
}

// serviceHangs: the service is there and answers nothing, so that the card could
// not even be asked.
func serviceHangs(err error) bool {
	var hung *pcsc.HungError
	return errors.As(err, &hung) && hung.OfService()
}

// errOldCallHangs: the card before this one hung, and its call has not returned
// yet, as it does once the card is out.
var errOldCallHangs = errors.New("a call to the card before this one has not returned yet")

// readCard reads a card, in one transaction that sends it no PIN.
func (c *Cards) readCard(ctx context.Context, reader string) (_ *health.Card, err error) {
	conn, err := c.config.Connector.Open(ctx, reader)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ctx.Err() != nil {
			// What was cut short may hang for as long as a deadline. The
			// connection's own goroutine, which is the connector's, sees it
			// through; we have no time to wait.
			go conn.Close()
			return
		}
		if closed := conn.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	var card *piv.Card
	err = conn.Transaction(ctx, func(tx *pcsc.Tx) (err error) {
		card, err = piv.Reading{Short: conn.Protocol() == pcsc.ProtocolT0}.Read(ctx, tx)
		return err
	})
	if errors.Is(err, piv.ErrNoApplication) {
		return &health.Card{Authenticator: contract.Authenticator{PIN: contract.PIN{State: "unknown"}}}, nil
	}
	if err != nil {
		return nil, err
	}
	return cardFacts(c.config.Name, card), nil
}
