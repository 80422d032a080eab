package vcard

// parse takes a command APDU apart (ISO 7816-4, 5.2, cases 1 to 4, short and
// extended). The header is there even if the rest is not well formed; raw has
// at least four octets.
func parse(raw []byte) (cmd command, ok bool) {
	cmd = command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3]}
	body := raw[headerLength:]
	size, top := 1, maxShortLe
	if len(body) > 2 && body[0] == 0 {
		size, top = 2, maxExtendedLe
		body = body[1:]
	}
	length := func(b []byte) int {
		n := 0
		for _, octet := range b[:size] {
			n = n<<8 | int(octet)
		}
		return n
	}
	expected := func(b []byte) int {
		if n := length(b); n > 0 {
			return n
		}
		return top
	}
	switch n := len(body); {
	case n == 0:
		return cmd, true
	case n < size:
		return cmd, false
	case n == size:
		cmd.le = expected(body)
		return cmd, true
	}
	lc := length(body)
	body = body[size:]
	switch {
	case lc == 0 || lc > len(body):
		return cmd, false
	case len(body) == lc+size:
		cmd.le = expected(body[lc:])
	case len(body) != lc:
		return cmd, false
	}
	cmd.data = body[:lc]
	return cmd, true
}

// tlv encodes a BER-TLV data object (ISO 7816-4, 5.2.2) from the parts of its
// value.
func tlv(tag uint32, values ...[]byte) []byte {
	var value []byte
	for _, v := range values {
		value = append(value, v...)
	}
	var out []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if octet := byte(tag >> shift); octet != 0 || len(out) > 0 {
			out = append(out, octet)
		}
	}
	switch n := len(value); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, value...)
}

// oneTLV takes the data object with a tag of one octet off the front.
func oneTLV(data []byte, tag byte) (value, rest []byte, ok bool) {
	if len(data) < 2 || data[0] != tag {
		return nil, nil, false
	}
	n, data := int(data[1]), data[2:]
	if n >= 0x80 {
		octets := n & 0x7F
		if octets == 0 || octets > 2 || len(data) < octets {
			return nil, nil, false
		}
		n = 0
		for _, octet := range data[:octets] {
			n = n<<8 | int(octet)
		}
		data = data[octets:]
	}
	if n > len(data) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}
