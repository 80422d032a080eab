package ceremony

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/store"
	"authbridge/pcsc"
	"authbridge/pcsc/piv"
)

// leaveCard leaves a card as it was found: a PIN that was sent in the lease opens
// nothing any more. Where nothing else on the card closes it, the card is reset,
// and a remark says so. A card to which no PIN was sent in the lease, or which is
// not there any more, is not touched: without power it has forgotten.
//
// It goes by the traces alone, so that it is the same after a restart; a card that
// was not seen since then is not gone yet. ctx bounds it in time.
func (c *Conductor) leaveCard(ctx context.Context, g lease.Grant, traces []store.Trace) (remarks []string, err error) {
	card := g.Authenticator.ID
	if !traceOf(traces, card) {
		return nil, nil
	}
	defer func() {
		if err == nil {
			c.pins.setOpened(card, "")
		} else if err = cardFailure(err); failure.CodeOf(err) == failure.CardGone || serviceGone(err) {
			c.pins.setOpened(card, "")
			err = nil
		}
	}()
	conn, err := c.reach(ctx, g)
	if err != nil {
		return nil, err
	}
	var state piv.PINState
	err = conn.Transaction(ctx, func(tx *pcsc.Tx) (err error) {
		state, err = piv.Unverify(ctx, tx)
		return err
	})
	if err != nil || !state.Verified() {
		closeCard(ctx, conn)
		return nil, err
	}
	if err := conn.CloseReset(); err != nil {
		return nil, err
	}
	return []string{g.Authenticator.Name + " was reset, because nothing else would close its PIN"}, nil
}

// reach connects to a card. That one is gone which was lent by a former daemon is
// believed once all that is here was looked at.
func (c *Conductor) reach(ctx context.Context, g lease.Grant) (*pcsc.Conn, error) {
	seen := g.Authenticator.Condition != "" // by this one
	for {
		changed, all := c.config.Hardware.Changed(), seen || looked(c.config.Hardware.Snapshot())
		conn, err := c.config.Hardware.Card(ctx, g.Authenticator.ID)
		if failure.CodeOf(err) != failure.CardGone || all {
			return conn, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// looked is whether no source is at its start, and no card unread.
func looked(s *contract.Snapshot) bool {
	for i := range s.Sources {
		if s.Sources[i].State == "starting" {
			return false
		}
	}
	for i := range s.Readers {
		if r := &s.Readers[i]; (r.Condition == contract.Present || r.Condition == contract.InUse) && r.Card == "" {
			return false
		}
	}
	return true
}
