"""One network a style, or a few: Johnson et al. 2016 and Dumoulin et al. 2017."""
