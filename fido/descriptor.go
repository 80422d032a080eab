package fido

// The usage that makes a HID collection a security key (CTAP 2.1, 11.2.8.1).
const (
	usagePageFIDO = 0xf1d0
	usageCTAPHID  = 0x01
)

// Items of a HID report descriptor, without their size (HID 1.11, 6.2.2).
const (
	itemCollection = 0xa0
	itemUsagePage  = 0x04
	itemPush       = 0xa4
	itemPop        = 0xb4
	itemUsage      = 0x08
	itemLong       = 0xfe
)

// maxDescriptor is HID_MAX_DESCRIPTOR_SIZE of Linux; a longer one is none.
const maxDescriptor = 4096

// isFIDO says whether a HID report descriptor has an application collection
// with the usage of a security key. A descriptor that is cut short counts up
// to there.
func isFIDO(d []byte) bool {
	if len(d) > maxDescriptor {
		return false
	}
	var (
		page  uint32
		stack []uint32
		usage uint32 // the first of the main item to come, with its page
		used  bool
	)
	for len(d) > 0 {
		prefix := d[0]
		if prefix == itemLong {
			if len(d) < 3 || len(d) < 3+int(d[1]) {
				return false
			}
			d = d[3+int(d[1]):]
			continue
		}
		size := int(prefix & 3)
		if size == 3 {
			size = 4
		}
		if len(d) < 1+size {
			return false
		}
		var value uint32
		for i, b := range d[1 : 1+size] {
			value |= uint32(b) << (8 * i)
		}
		d = d[1+size:]
		switch kind := prefix &^ 3; kind {
		case itemUsagePage:
			page = value & 0xffff
		case itemPush:
			stack = append(stack, page)
		case itemPop:
			if len(stack) == 0 {
				return false
			}
			page, stack = stack[len(stack)-1], stack[:len(stack)-1]
		case itemUsage:
			if !used {
				used, usage = true, value
				if size < 4 { // else the item brings its own page
					usage |= page << 16
				}
			}
		default:
			const application, mainItem = 1, 0
			if kind == itemCollection && value == application && used && usage == usagePageFIDO<<16|usageCTAPHID {
				return true
			}
			if prefix>>2&3 == mainItem { // local items end with a main item
				used = false
			}
		}
	}
	return false
}
