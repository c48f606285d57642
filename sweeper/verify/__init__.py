"""`python -m sweeper.verify DIR`: checks a folder of runs by others, and trains a sample of them again."""
