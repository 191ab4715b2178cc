"""Flow cytometry: FCS files, compensation, scales, gates, and the counts that come of them."""
