package virtual

import "authbridge/pcsc/vcard"

// Quick has cards made with keys that take no time.
func (c Config) Quick() Config {
	c.keys = vcard.ECCP256
	return c
}
